// Examples for the scenario tests: their weir.yaml with functions that are watched, and their runs on
// virtual time.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT, program } from './weir.mjs';

const run = promisify(execFile);

// An example in a folder of the test's own.
export class Example {
  constructor(name) {
    this.source = path.join(ROOT, 'examples', name);
  }

  async open() {
    this.folder = await mkdtemp(path.join(tmpdir(), 'weir-example-'));
    this.callsFile = path.join(this.folder, 'calls');
    return this;
  }

  close() {
    return rm(this.folder, { recursive: true, force: true });
  }

  // weir.yaml, with the function in `dir` as it is, but each of its calls noted before and behind.
  async watched(dir) {
    const text = await readFile(path.join(this.source, 'weir.yaml'), 'utf8');
    const place = path.join(this.folder, 'watched');
    await mkdir(place);
    await writeFile(path.join(place, 'index.mjs'), `import { appendFileSync } from 'node:fs';
import { handler as watched } from ${JSON.stringify(path.join(this.source, dir, 'index.mjs'))};
const note = (what) => appendFileSync(${JSON.stringify(this.callsFile)}, JSON.stringify({ ...what, time: Date.now() }) + '\\n');
export const handler = async (event, context) => {
  note({ begins: context.awsRequestId, event });
  const answer = await watched(event, context);
  note({ ends: context.awsRequestId });
  return answer;
};
`);
    return text.replace(`dir: ./${dir}`, `dir: "${place}"`);
  }

  // What was noted, in order: { begins, event, time } and { ends, time }.
  async notes() {
    const text = await readFile(this.callsFile, 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async calls() {
    return (await this.notes()).filter(({ begins }) => begins);
  }

  // Run a file of tests with the records that generate.mjs writes; change(text) may change the file.
  async test(file, change = (text) => text) {
    const place = path.join(this.folder, 'virtual');
    await cp(this.source, place, { recursive: true });
    await run(process.execPath, [path.join(this.source, 'generate.mjs'), '--records', place]);
    await writeFile(path.join(place, file), change(await readFile(path.join(place, file), 'utf8')));
    return run(program(), ['test', path.join(place, file)]).catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  }
}

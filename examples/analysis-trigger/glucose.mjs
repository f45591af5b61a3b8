// Glucose and treatments of one person, the same for the same seed: a value is a function of seed
// and time alone, so a day is the same whether it comes live, as a backfill or in a test.

export const MINUTE_MS = 60_000;
export const SENSOR_MS = 5 * MINUTE_MS;
export const DAY_MS = 24 * 60 * MINUTE_MS;

// A number in [0, 1) made from whole numbers.
function chance(...numbers) {
  let hash = 0x9e3779b9;
  for (const number of numbers) {
    hash = Math.imul(hash ^ (number | 0), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

// Breakfast, lunch, a snack on some days, dinner: when (in minutes of the day), and grams of carbohydrates.
const MEALS = [
  { about: 7.5 * 60, spread: 60, grams: 45, often: 0.95 },
  { about: 12.5 * 60, spread: 80, grams: 65, often: 1 },
  { about: 16 * 60, spread: 90, grams: 20, often: 0.4 },
  { about: 19 * 60, spread: 100, grams: 75, often: 1 },
];

export function meals(seed, day) {
  return MEALS.flatMap(({ about, spread, grams, often }, which) => {
    const draw = (what) => chance(seed, day, which, what);
    return draw(0) >= often ? [] : [{
      time: day * DAY_MS + Math.round(about + (draw(1) - 0.5) * spread) * MINUTE_MS,
      grams: Math.round(grams * (0.6 + 0.8 * draw(2))),
      units: Math.round(10 * (grams / 10) * (0.8 + 0.5 * draw(3))) / 10,
    }];
  });
}

// What is there `minutes` after something that has its greatest effect at `peak`: 0 to 1.
function wave(minutes, peak) {
  return minutes <= 0 ? 0 : ((minutes / peak) * Math.exp(1 - minutes / peak)) ** 2;
}

// Noise that changes gradually: between random points, one every `step`.
function drift(seed, time, step) {
  const at = Math.floor(time / step);
  const part = time / step - at;
  const smooth = part * part * (3 - 2 * part);
  return (chance(seed, at) - 0.5) * (1 - smooth) + (chance(seed, at + 1) - 0.5) * smooth;
}

// Glucose in mg/dL as a sensor shows it.
export function glucose(seed, time) {
  const day = Math.floor(time / DAY_MS);
  const hour = (time % DAY_MS) / (60 * MINUTE_MS);
  let value = 108 + 14 * Math.exp(-(((hour - 6) / 1.6) ** 2)); // it rises at dawn
  for (const { time: eaten, grams, units } of [...meals(seed, day - 1), ...meals(seed, day)]) {
    const minutes = (time - eaten) / MINUTE_MS;
    value += 1.7 * grams * wave(minutes, 60) - 11 * units * wave(minutes - 15, 95);
  }
  const awake = 0.35 + 0.65 / ((1 + Math.exp(3 * (6.5 - hour))) * (1 + Math.exp(3 * (hour - 22.5)))); // nights are quiet
  value += awake * (40 * drift(seed + 1, time, 3 * 60 * MINUTE_MS) + 12 * drift(seed + 2, time, 20 * MINUTE_MS));
  value += 4 * (chance(seed + 3, Math.floor(time / SENSOR_MS)) - 0.5);
  return Math.round(Math.min(400, Math.max(40, value)));
}

export function item(user, kind, time, rest) {
  const sk = new Date(time).toISOString();
  return { pk: `USR#${user}#${kind}#${sk.slice(0, 10)}`, sk, timestamp: time, ...rest };
}

// What the sensor writes from `from` up to, but not including, `to`: a reading every five minutes.
export function* readings({ user = 'ada', seed = 1, from, to }) {
  for (let time = Math.ceil(from / SENSOR_MS) * SENSOR_MS; time < to; time += SENSOR_MS) {
    yield item(user, 'CGM', time, { value: glucose(seed, time) });
  }
}

// What was eaten and injected in that time, and the basal rate of each hour.
export function* treatments({ user = 'ada', seed = 1, from, to }) {
  for (let day = Math.floor(from / DAY_MS); day * DAY_MS < to; day++) {
    const all = meals(seed, day).flatMap(({ time, grams, units }) => [
      item(user, 'CARBS', time, { grams }), item(user, 'BOLUS', time, { units })]);
    for (let hour = 0; hour < 24; hour++) {
      all.push(item(user, 'BASAL', day * DAY_MS + hour * 60 * MINUTE_MS, { units: hour < 8 ? 0.8 : 0.6 }));
    }
    all.sort((a, b) => a.timestamp - b.timestamp);
    yield* all.filter(({ timestamp }) => timestamp >= from && timestamp < to);
  }
}

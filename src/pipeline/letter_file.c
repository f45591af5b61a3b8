/*
 * Dead letters as lines of a file: a thread appends them and makes them durable, and the lane
 * waits for that before it commits the position behind their records. So a letter is in the file
 * before the pipeline has gone on; when weir ends between the two it is there twice.
 *
 * The file is opened for each append: whoever moves it away (log rotation) gets a new one, and
 * needs to tell nobody.
 */
#include <pthread.h>

#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { LINES_MAX_BYTES = 256 * 1024 * 1024 };

/* Lines of one lane. */
struct job {
    struct weir_post post; /* brings it back to the loop */
    struct weir_lane *lane;
    const char *path; /* the model's */
    struct weir_buf lines;
    enum weir_rc rc;
    struct weir_err err;
    struct job *next;
};

struct weir_letter_writer {
    struct weir_loop *loop;
    pthread_t thread;
    struct weir_mutex mutex; /* guards what follows */
    struct weir_condition ready;
    struct job *first;
    struct job **last;
    bool stopping;
};

/* --- the thread -------------------------------------------------------------------------- */

/* A line that a crash has cut ends before the next one begins. */
static enum weir_rc end_line(
        struct weir_file *file, uint64_t *at, uint64_t size, struct weir_err *err)
{
    char last = '\n';
    if (size > 0) {
        enum weir_rc rc = weir_file_read_all(file, size - 1, &last, 1, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *at = size;
    if (last == '\n') {
        return WEIR_OK;
    }
    *at = size + 1;
    return file->fs->ops->write(file, size, "\n", 1, err);
}

static enum weir_rc append(struct weir_file *file, struct weir_str lines, struct weir_err *err)
{
    const struct weir_fs_ops *ops = file->fs->ops;
    uint64_t size = 0;
    uint64_t at = 0;
    enum weir_rc rc = ops->size(file, &size, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = end_line(file, &at, size, err);
    if (rc == WEIR_OK) {
        rc = ops->write(file, at, lines.p, lines.n, err);
    }
    if (rc == WEIR_OK) {
        rc = ops->sync(file, err);
    }
    if (rc != WEIR_OK) {
        (void)ops->truncate(file, size, NULL); /* the lane writes them again */
    }
    return rc;
}

/* The folder of a path. */
static void folder_of(const char *path, struct weir_buf *folder)
{
    const char *slash = strrchr(path, '/');
    weir_buf_add(
            folder, slash != NULL ? path : "./", slash != NULL ? (size_t)(slash - path) + 1 : 2);
    weir_buf_byte(folder, '\0');
}

static enum weir_rc write_lines(struct job *job)
{
    struct weir_fs *fs = weir_fs_system();
    struct weir_file *file = NULL;
    struct weir_buf folder;
    enum weir_rc rc = fs->ops->open(fs, job->path, WEIR_OPEN_CREATE, &file, &job->err);
    if (rc == WEIR_OK) {
        rc = append(file, weir_buf_view(&job->lines), &job->err);
        weir_file_destroy(file);
    }
    weir_buf_init(&folder, 1 << 16);
    folder_of(job->path, &folder);
    if (rc == WEIR_OK) {
        rc = fs->ops->sync_dir(fs, folder.p, &job->err);
    }
    weir_buf_fini(&folder);
    return rc;
}

static struct job *next_job(struct weir_letter_writer *writer)
{
    weir_mutex_lock(&writer->mutex);
    while (writer->first == NULL && !writer->stopping) {
        weir_condition_wait(&writer->ready, &writer->mutex);
    }
    struct job *job = writer->first;
    if (job != NULL) {
        writer->first = job->next;
        writer->last = writer->first != NULL ? writer->last : &writer->first;
    }
    weir_mutex_unlock(&writer->mutex);
    return job;
}

static void *writer_main(void *arg)
{
    struct weir_letter_writer *writer = arg;
    for (struct job *job = next_job(writer); job != NULL; job = next_job(writer)) {
        job->rc = write_lines(job);
        weir_loop_post(writer->loop, &job->post);
    }
    return NULL;
}

static struct weir_letter_writer *create_writer(struct weir_loop *loop)
{
    struct weir_letter_writer *writer = weir_alloc_zero(1, sizeof(*writer));
    writer->loop = loop;
    writer->last = &writer->first;
    weir_mutex_init(&writer->mutex, WEIR_LOCK_LETTERS);
    weir_condition_init(&writer->ready);
    weir_assert(pthread_create(&writer->thread, NULL, writer_main, writer) == 0);
    return writer;
}

void weir_letter_writer_destroy(struct weir_letter_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    weir_mutex_lock(&writer->mutex);
    writer->stopping = true;
    weir_condition_signal(&writer->ready);
    weir_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    weir_condition_fini(&writer->ready);
    weir_mutex_fini(&writer->mutex);
    weir_free(writer);
}

/* --- the lane --------------------------------------------------------------------------------- */

static bool is_due(const struct queued *queued)
{
    return queued->failed && !queued->written && !weir_queued_was_skipped(queued);
}

static void end_job(struct job *job)
{
    weir_buf_fini(&job->lines);
    weir_free(job);
}

static void written(struct weir_post *post)
{
    struct job *job = WEIR_CONTAINER(post, struct job, post);
    struct weir_lane *lane = job->lane;
    struct weir_err err = job->err;
    enum weir_rc rc = job->rc;
    end_job(job);
    lane->phase = LANE_RUNNING;
    if (rc != WEIR_OK) {
        weir_fail_in(&err, rc, "dead letter: ");
        weir_lane_block(lane, &err);
        return;
    }
    struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        queued->written = queued->written || is_due(queued);
    }
    weir_lane_submit(lane);
}

static void give_job(struct weir_pipelines *pipelines, struct job *job)
{
    if (pipelines->letter_writer == NULL) {
        pipelines->letter_writer = create_writer(pipelines->loop);
    }
    struct weir_letter_writer *writer = pipelines->letter_writer;
    weir_mutex_lock(&writer->mutex);
    *writer->last = job;
    writer->last = &job->next;
    weir_condition_signal(&writer->ready);
    weir_mutex_unlock(&writer->mutex);
}

bool weir_letter_file_write(struct weir_lane *lane)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    if (model->dead_letters_in != WEIR_LETTERS_FILE || lane->pipeline->all->simulates) {
        return false;
    }
    struct job *job = NULL;
    struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        if (!is_due(queued)) {
            continue;
        }
        if (job == NULL) {
            job = weir_alloc_zero(1, sizeof(*job));
            weir_buf_init(&job->lines, LINES_MAX_BYTES);
        }
        struct weir_letter letter = weir_letter_of(lane, queued);
        weir_letter_write(&job->lines, &letter);
        weir_buf_byte(&job->lines, '\n');
    }
    if (job == NULL) {
        return false;
    }
    job->post.run = written;
    job->lane = lane;
    job->path = model->dead_letters.p;
    lane->phase = LANE_COMMITTING;
    if (weir_buf_check(&job->lines, "dead letters", &job->err) != WEIR_OK) {
        job->rc = job->err.code;
        weir_loop_post(lane->pipeline->all->loop, &job->post);
    } else {
        give_job(lane->pipeline->all, job);
    }
    return true;
}

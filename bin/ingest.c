/* SPDX-License-Identifier: MIT */
#include "ingest.h"

#include "base/status.h"
#include "flusher.h"
#include "input.h"

#define GROUP_SIZE (256u << 10)
#define SYNC_SIZE (32u << 20)
/* A producer that is just not as fast as we are does not pause; a person or a log does. */
#define PAUSE_MS 20

struct stream {
	const struct ingest *in;
	struct lsm *db;
	struct lsm_batch *batch;
	struct flusher *flusher;
	uint64_t unsynced; /* bytes written and not waited for */
};

static int stream_open(struct stream *s, const struct ingest *in)
{
	*s = (struct stream){
		.in = in,
		.db = tool_open(in->t, in->create, false),
		.batch = lsm_batch_new(),
		.flusher = flusher_new(in->t),
	};
	return s->batch && s->flusher ? 0 : fail_memory();
}

static void stream_close(struct stream *s)
{
	flusher_free(s->flusher);
	lsm_batch_free(s->batch);
	lsm_close(s->db);
}

static int write_group(struct stream *s)
{
	if (!lsm_batch_count(s->batch))
		return 0;
	int rc = lsm_write(s->db, s->batch, LSM_NO_SYNC);
	if (rc)
		return rc;
	s->unsynced += lsm_batch_size(s->batch);
	lsm_batch_clear(s->batch);
	flusher_poke(s->flusher, s->db);
	return 0;
}

static int sync_groups(struct stream *s)
{
	if (!s->unsynced || s->in->no_sync)
		return 0;
	s->unsynced = 0;
	return lsm_sync(s->db);
}

/* Makes good all that was read. */
static int settle(struct stream *s)
{
	int rc = write_group(s);
	return rc ? rc : sync_groups(s);
}

static int add(struct stream *s, const struct record *r)
{
	bool delete = s->in->shape == RECORD_KEY || (r->type && r->type[0] == 'd');
	int rc = delete ? lsm_batch_delete(s->batch, r->key)
			: lsm_batch_put(s->batch, r->key, r->value);
	if (rc || s->in->atomic || lsm_batch_size(s->batch) < GROUP_SIZE)
		return rc;
	rc = write_group(s);
	return rc || s->unsynced < SYNC_SIZE ? rc : sync_groups(s);
}

static int read_records(struct stream *s, struct record_reader *r)
{
	struct record record;
	int rc;
	if (!s->in->atomic)
		record_reader_set_pause(r, PAUSE_MS);
	while ((rc = record_reader_next(r, &record)) != SST_NO) {
		if (rc == 0)
			rc = add(s, &record);
		else if (rc == RECORD_PAUSE)
			rc = settle(s);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_file(struct stream *s, const char *path)
{
	int fd, rc = input_open(&fd, path);
	if (rc)
		return rc;
	struct record_reader *r =
		record_reader_new(fd, input_name(path), s->in->t->form, s->in->shape);
	rc = r ? read_records(s, r) : SST_ENOMEM;
	record_reader_free(r);
	input_close(fd);
	return rc;
}

static int read_files(struct stream *s, int count, char **files)
{
	int rc = count ? 0 : read_file(s, "-");
	for (int i = 0; i < count && !rc; i++)
		rc = read_file(s, files[i]);
	return rc;
}

int ingest_files(const struct ingest *in, int count, char **files)
{
	struct stream s;
	int rc = stream_open(&s, in), status = 0;
	if (!rc)
		rc = read_files(&s, count, files);
	if (rc)
		status = tool_report(rc, NULL);
	/* what came before a bad record stays, unless it was to be all or nothing */
	if (s.batch && s.flusher && !(rc && in->atomic)) {
		rc = settle(&s);
		if (rc)
			status = tool_report(rc, NULL);
	}
	stream_close(&s);
	return status;
}

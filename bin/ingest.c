/* SPDX-License-Identifier: MIT */
#include "ingest.h"

#include "bulk.h"
#include "input.h"

/* A producer that is just not as fast as we are does not pause; a person or a log does. */
#define PAUSE_MS 20

static int apply(struct bulk *b, enum record_shape shape, const struct record *r)
{
	bool is_delete = shape == RECORD_KEY || (shape == RECORD_CHANGE && r->type[0] == 'd');
	return is_delete ? bulk_delete(b, r->key) : bulk_put(b, r->key, r->value);
}

static int settle(struct bulk *b, const struct record_reader *r)
{
	int rc = bulk_settle(b);
	return rc || !record_reader_lasts(r) ? rc : bulk_rest(b);
}

static int read_records(const struct ingest *in, struct bulk *b, struct record_reader *r)
{
	struct record record;
	int rc;
	if (!in->atomic)
		record_reader_set_pause(r, PAUSE_MS);
	while ((rc = record_reader_next(r, &record)) != SST_NO) {
		if (rc == 0)
			rc = apply(b, in->shape, &record);
		else if (rc == RECORD_PAUSE)
			rc = settle(b, r);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_file(const struct ingest *in, struct bulk *b, const char *path)
{
	int fd, rc = input_open(&fd, path);
	if (rc)
		return rc;
	struct record_reader *r =
		record_reader_new(fd, input_name(path), in->t->form, in->shape);
	rc = r ? read_records(in, b, r) : SST_ENOMEM;
	record_reader_free(r);
	input_close(fd);
	return rc;
}

static int read_files(const struct ingest *in, struct bulk *b, int count, char **files)
{
	int rc = count ? 0 : read_file(in, b, "-");
	for (int i = 0; i < count && !rc; i++)
		rc = read_file(in, b, files[i]);
	return rc;
}

int ingest_files(const struct ingest *in, int count, char **files)
{
	struct bulk b;
	int rc = bulk_open(&b, in->t, in->create), status = TOOL_EXIT_OK;
	if (rc)
		tool_fail(rc, NULL);
	b.atomic = in->atomic;
	b.no_sync = in->no_sync;
	rc = read_files(in, &b, count, files);
	if (rc)
		status = tool_report(rc, NULL);
	/* what came before a bad record stays, unless it was to be all or nothing */
	if (!(rc && in->atomic) && (rc = bulk_settle(&b)) != 0)
		status = tool_report(rc, NULL);
	bulk_close(&b);
	return status;
}

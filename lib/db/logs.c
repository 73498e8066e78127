/* SPDX-License-Identifier: MIT */
#include "db/logs.h"

#include <stdlib.h>

#include "base/status.h"

/* From this size on a log may be a sparse file. */
#define LARGE (UINT64_C(64) << 20)

static int add_log(struct logs *l, uint64_t number, const char *name)
{
	struct file_id id;
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		uint64_t *p = realloc(l->numbers, l->cap * sizeof(*p));
		if (!p)
			return fail_memory();
		l->numbers = p;
	}
	int rc = file_identify_at(l->dirfd, name, &id);
	if (rc)
		return rc < 0 ? rc : 0;
	l->bytes += id.size < LARGE ? id.size : file_data_bytes(l->dirfd, name, id.size);
	l->numbers[l->count++] = number;
	return 0;
}

static int note_file(void *arg, const char *name)
{
	struct logs *l = arg;
	uint64_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if (kind == FILE_OTHER)
		return 0;
	if (number > l->largest)
		l->largest = number;
	return kind == FILE_WAL && (number >= l->minimum || number == l->previous) ? add_log(l, number, name) : 0;
}

int logs_find(struct lsm *db, const struct version *v, struct logs *l)
{
	*l = (struct logs){.dirfd = db->dirfd, .previous = v->prev_log_number,
		.minimum = v->log_number > v->min_log_number ? v->log_number : v->min_log_number};
	int rc = dir_list(db->dirfd, note_file, l);
	if (l->count)
		qsort(l->numbers, l->count, sizeof(*l->numbers), file_number_cmp);
	return rc;
}

void logs_release(struct logs *l)
{
	free(l->numbers);
	*l = (struct logs){0};
}

/* SPDX-License-Identifier: MIT */
#include "record.h"

#include "base/status.h"
#include "record_form.h"

static const struct record_form_ops *const forms[] = {
	[RECORD_TEXT] = &record_text,
	[RECORD_HEX] = &record_hex,
	[RECORD_NULL] = &record_null,
	[RECORD_JSON] = &record_json,
	[RECORD_CDB] = &record_cdb,
	[RECORD_DUMP] = &record_dump,
	[RECORD_LDB] = &record_ldb,
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

const struct record_form_ops *record_form_ops(enum record_form form)
{
	return forms[form];
}

int record_form_parse(const char *name, enum record_form *form)
{
	for (unsigned i = 0; i < FORMS; i++)
		if (strcmp(name, forms[i]->name) == 0) {
			*form = (enum record_form)i;
			return 0;
		}
	return fail(
		SST_EINVAL, "unknown form '%s' (known: text hex null json cdb dump ldb)", name);
}

const char *record_form_name(enum record_form form)
{
	return forms[form]->name;
}

bool record_form_has(enum record_form form, enum record_shape shape)
{
	return shape == RECORD_PAIR ||
	       (shape == RECORD_KEY ? forms[form]->keys : forms[form]->columns);
}

int record_operand(char *text, enum operand_form form, struct sst_slice *out)
{
	size_t n = strlen(text);
	uint8_t *p = (uint8_t *)text;
	const char *wrong = NULL;
	*out = slice_of(p, n);
	if (form == OPERAND_ESCAPED)
		wrong = field_read_text(p, n, out);
	else if (form == OPERAND_HEX)
		wrong = field_read_hex(p, n, out);
	return wrong ? fail(SST_EINVAL, "%s", wrong) : 0;
}

/* ---------------------------------------------------------------- writer */

int record_writer_begin(struct record_writer *w, struct output *out, enum record_form form,
	enum record_shape shape)
{
	*w = (struct record_writer){out, form, shape};
	if (forms[form]->begin)
		forms[form]->begin(out);
	return out->error;
}

int record_writer_add(struct record_writer *w, const struct record *r)
{
	int rc = forms[w->form]->write(w->out, w->shape, r);
	return rc ? rc : output_record_end(w->out);
}

int record_writer_end(struct record_writer *w)
{
	if (forms[w->form]->end)
		forms[w->form]->end(w->out);
	return w->out->error;
}

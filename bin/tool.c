/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/status.h"
#include "tool_option.h"

#define STDOUT_BUFFER (64u << 10)
#define DESCRIPTORS 65536
#define MESSAGE_MAX 1536 /* of text; a longer one is cut */

static const char *tool_name = "lsm";
static uint8_t stdout_buffer[STDOUT_BUFFER];
static struct output standard_output = {.data = stdout_buffer, .cap = STDOUT_BUFFER, .fd = 1};

struct output *tool_stdout(void)
{
	return &standard_output;
}

/* ---------------------------------------------------------------- start */

/* A store's file must never become descriptor 0, 1 or 2, where messages would be written into
 * it. The holes are filled with what cannot be used the way round it is asked for, so that data
 * for a closed standard output is still an error. */
static void fill_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(TOOL_EXIT_FAILURE);
}

/* A scan has every table of the store open. The usual limit is low for the sake of select(2), which is not used here. */
static void raise_descriptors(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= DESCRIPTORS || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* The memory that all processes of a store share can be cut short under us by any of them. What was acknowledged is in
 * the log, and whoever comes next rebuilds the memory from there. */
static void end_by_bus_error(int number, siginfo_t *info, void *context)
{
	static const char text[] = ": the shared memory was cut short while in use (nothing acknowledged is lost): try again\n";
	(void)context;
	if (info->si_code != BUS_ADRERR) { /* broken hardware: dies of it */
		signal(number, SIG_DFL);
		return;
	}
	ssize_t n = write(2, tool_name, strlen(tool_name));
	n = write(2, text, sizeof(text) - 1);
	(void)n;
	_exit(TOOL_EXIT_AGAIN);
}

static void catch_bus_error(void)
{
	struct sigaction action = {.sa_sigaction = end_by_bus_error, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void tool_start(struct tool *t, int argc, char **argv)
{
	tool_name = t->name;
	fill_descriptors();
	raise_descriptors();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* a limit on file size is an error of write(2) */
	catch_bus_error();
	tool_option_start(t, argc, argv);
}

/* ---------------------------------------------------------------- messages */

/* One write, so that lines of many processes do not mix; no control characters, so that what is
 * quoted from a file cannot drive a terminal. */
static void write_line(const char *text)
{
	uint8_t buffer[2 * OUTPUT_ROOM_MAX];
	struct output o = {.data = buffer, .cap = sizeof(buffer), .fd = 2};
	output_str(&o, tool_name);
	output_str(&o, ": ");
	const uint8_t *p = (const uint8_t *)text;
	for (size_t left = strlen(text); left;) {
		size_t n = utf8_printable(p, left);
		if (n) {
			output_write(&o, p, n);
		} else {
			output_str(&o, "\\x");
			field_write_hex(&o, slice_of(p, 1));
			n = 1;
		}
		p += n;
		left -= n;
	}
	output_char(&o, '\n');
	output_flush(&o);
}

__attribute__((format(printf, 2, 0))) static const char *format_message(
	char text[MESSAGE_MAX], const char *fmt, va_list ap, const char *behind)
{
	text[0] = '\0';
	int n = fmt ? vsnprintf(text, MESSAGE_MAX, fmt, ap) : 0;
	if (n < 0 || n >= MESSAGE_MAX)
		n = (int)strlen(text);
	if (behind)
		snprintf(text + n, MESSAGE_MAX - (size_t)n, "%s%s", n ? ": " : "", behind);
	return text;
}

void tool_message(const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	write_line(format_message(text, fmt, ap, NULL));
	va_end(ap);
}

void tool_usage(const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	write_line(format_message(text, fmt, ap, NULL));
	va_end(ap);
	dprintf(2, "Try '%s --help'.\n", tool_name);
	exit(TOOL_EXIT_USAGE);
}

int tool_exit_status(int rc)
{
	switch (rc) {
	case SST_OK:
		return TOOL_EXIT_OK;
	case SST_NO:
		return TOOL_EXIT_NO;
	case SST_EINVAL:
		return TOOL_EXIT_USAGE;
	case SST_ECORRUPT:
	case SST_EUNSUPPORTED:
		return TOOL_EXIT_DAMAGE;
	case SST_EBUSY:
		return TOOL_EXIT_AGAIN;
	default:
		return TOOL_EXIT_FAILURE;
	}
}

int tool_report(int rc, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	write_line(format_message(text, fmt, ap, sst_errmsg()));
	va_end(ap);
	return tool_exit_status(rc);
}

/* ---------------------------------------------------------------- the end */

void tool_fail(int rc, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	bool told_already = standard_output.error;
	va_list ap;
	va_start(ap, fmt);
	format_message(text, fmt, ap, sst_errmsg());
	va_end(ap);
	/* what came before the failure is right, and goes before its message */
	if (!told_already && output_flush(&standard_output))
		tool_report(SST_EIO, NULL);
	write_line(text);
	exit(tool_exit_status(rc));
}

struct record_reader *tool_reader(
	const struct tool *t, int fd, const char *name, enum record_shape shape)
{
	struct record_reader *r = record_reader_new(fd, name, t->form, shape);
	if (!r)
		tool_fail(SST_ENOMEM, NULL);
	return r;
}

int tool_finish(int status)
{
	int rc = output_flush(&standard_output);
	if (!rc && close(1) < 0)
		rc = fail_errno("write error");
	if (!rc)
		return status;
	tool_report(rc, NULL);
	return TOOL_EXIT_FAILURE;
}

void tool_print_value(const struct tool *t, struct sst_slice value)
{
	struct output *o = tool_stdout();
	if (t->operand == OPERAND_ESCAPED)
		field_write_text(o, value);
	else if (t->operand == OPERAND_HEX)
		field_write_hex(o, value);
	else
		output_write(o, value.data, value.size);
	if (t->operand != OPERAND_RAW || isatty(1))
		output_char(o, '\n');
}

/* SPDX-License-Identifier: MIT */
/* Inside tool.c: the command line. */
#ifndef BIN_TOOL_OPTION_H
#define BIN_TOOL_OPTION_H

#include "tool.h"

/* Answers -h and -V; makes t ready for tool_next. */
void tool_option_start(struct tool *t, int argc, char **argv);

#endif

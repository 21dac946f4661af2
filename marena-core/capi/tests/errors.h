#ifndef ERRORS_H
#define ERRORS_H

#include "marena.h"

/* Returns the number of failed expectations, and prints each. */
int errors(void);

#endif

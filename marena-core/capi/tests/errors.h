#ifndef ERRORS_H
#define ERRORS_H

#include "marena.h"

/* How many expectations were not met; each is printed. */
int errors(void);

#endif

#ifndef REFUSALS_H
#define REFUSALS_H

#include "marena.h"

/* How many expectations were not met; each is printed. */
int refusals(void);

#endif

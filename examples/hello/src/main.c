#include <stdio.h>
#include "count.h"
#include "greet.h"

int main(void) {
    printf("%s (%d letters)\n", greet(), count(greet()));
    return 0;
}

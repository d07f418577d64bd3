#ifndef GREET_H
#define GREET_H
#define GREETING "hello"
const char *greet(void);
#endif

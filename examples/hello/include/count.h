#ifndef COUNT_H
#define COUNT_H
int count(const char *text);
#endif

/* Numbered lines of 85 characters, as fast as they are taken or at a rate, in big writes.
 *
 *     feed LINES RATE GATE [WORD]
 *
 * Line n is "line 00000000n of WORD …". RATE: lines a second in steps of 10 ms, 0 for no limit. GATE: a FIFO; the first
 * line is written once somebody opens it for writing. Exits 1 where a write fails.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 86, BLOCK_LINES = 3000 };

static void number(char *digits, long value)
{
    for (int i = 8; i >= 0; i--, value /= 10)
        digits[i] = (char)('0' + value % 10);
}

static void put(const char *from, size_t left)
{
    while (left > 0) {
        ssize_t done = write(1, from, left);
        if (done < 0)
            exit(1);
        from += done;
        left -= (size_t)done;
    }
}

int main(int argc, char **argv)
{
    static char block[BLOCK_LINES * WIDTH];
    if (argc < 4)
        return 2;
    const long lines = atol(argv[1]), rate = atol(argv[2]);
    const long step = rate && rate / 100 < BLOCK_LINES ? (rate < 100 ? 1 : rate / 100) : BLOCK_LINES;
    char line[WIDTH + 64];
    memset(line, ' ', sizeof line);
    int used = snprintf(line, sizeof line, "line 000000000 of %s: engine::plan step is done, all is well", argc > 4 ? argv[4] : "feed");
    memset(line + used, '.', sizeof line - (size_t)used);
    line[WIDTH - 1] = '\n';
    for (int i = 0; i < BLOCK_LINES; i++)
        memcpy(block + i * WIDTH, line, WIDTH);
    if (open(argv[3], O_RDONLY) < 0)
        return 1;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long at = 0; at < lines; at += step) {
        const long count = lines - at < step ? lines - at : step;
        for (long i = 0; i < count; i++)
            number(block + i * WIDTH + 5, at + i + 1);
        put(block, (size_t)count * WIDTH);
        if (rate) {
            next.tv_nsec += 1000000000L / rate * step % 1000000000L;
            next.tv_sec += 1000000000L / rate * step / 1000000000L;
            if (next.tv_nsec >= 1000000000L) {
                next.tv_nsec -= 1000000000L;
                next.tv_sec++;
            }
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
    }
    return 0;
}

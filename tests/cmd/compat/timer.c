#include "hv/hloop.h"

static int fired;

static void on_timer(htimer_t *timer)
{
    printf("fired %d %s\n", ++fired, time(NULL) > 0 ? "now" : "never");
    if (fired == 3)
        hloop_stop(hevent_loop(timer));
}

int main(void)
{
    hloop_t *loop = hloop_new(0);

    htimer_add(loop, on_timer, 10, INFINITE);
    hloop_run(loop);
    hloop_free(&loop);
    return loop == NULL ? 0 : 1;
}

#include "hv/hv.h"

int main(void)
{
    char program[MAX_PATH] = {0};
    char folder[MAX_PATH] = {0};

    get_executable_path(program, sizeof(program));
    get_run_dir(folder, sizeof(folder));
    printf("program=%s\nfolder=%s\nversion=%s\n", program, folder, hv_compile_version());
    LOGI("this goes nowhere: %s", hv_version());
    return 0;
}

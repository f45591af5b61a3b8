#include "cli/cli_int.h"

int main(int argc, char **argv)
{
    return weir_cli_run(argc, argv);
}

/* Asks the metadata service for a token with nothing but system calls, and prints the answer. */
#include <arpa/inet.h>
#include <unistd.h>

int main(void) {
    static const char request[] = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.0\r\n"
                                  "Metadata-Flavor: Google\r\n\r\n";
    /* Constant, so that it cannot be written where it lies. */
    static const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = 0x5000,
        .sin_addr = {0xfea9fea9},
    };
    char answer[4096];
    ssize_t count;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (const struct sockaddr *)&address, sizeof address) != 0) return 1;
    if (write(connection, request, sizeof request - 1) < 0) return 2;
    while ((count = read(connection, answer, sizeof answer)) > 0) {
        if (write(1, answer, count) < 0) return 3;
    }
    return 0;
}

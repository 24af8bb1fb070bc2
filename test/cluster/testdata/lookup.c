/* Prints the addresses of each name, as the C library that it is linked with finds them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **names) {
  for (int i = 1; i < count; i++) {
    struct addrinfo hints, *found = 0;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int error = getaddrinfo(names[i], 0, &hints, &found);
    printf("%s:", names[i]);
    if (error) printf(" %s", error == EAI_NONAME ? "none" : gai_strerror(error));
    for (struct addrinfo *at = found; at; at = at->ai_next) {
      char text[INET6_ADDRSTRLEN];
      void *address = at->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)at->ai_addr)->sin_addr
                                               : (void *)&((struct sockaddr_in6 *)at->ai_addr)->sin6_addr;
      printf(" %s", inet_ntop(at->ai_family, address, text, sizeof text));
    }
    printf("\n");
  }
  return 0;
}

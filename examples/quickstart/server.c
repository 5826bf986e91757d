/* Serves the files of one folder over HTTP/1.0: just enough for an example, and no more than it can do safely. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int port(void)
{
	const char *text = getenv("PORT");
	int number = text ? atoi(text) : 8080;
	return number > 0 && number < 65536 ? number : 8080;
}

static struct sockaddr_in address(in_addr_t host)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port()), .sin_addr.s_addr = host };
	return a;
}

static void send_all(int to, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = write(to, bytes, length);
		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static void send_status(int to, const char *status)
{
	char head[256];
	int length = snprintf(head, sizeof head, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n%s\n", status,
	                      strlen(status) + 1, status);
	send_all(to, head, (size_t)length);
}

static const char *type_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	if (dot && strcmp(dot, ".html") == 0)
		return "text/html; charset=utf-8";
	if (dot && strcmp(dot, ".css") == 0)
		return "text/css";
	return "application/octet-stream";
}

static void send_file(int to, const char *path)
{
	char buffer[16384];
	struct stat info;
	int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0 || fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
		send_status(to, "404 Not Found");
	} else {
		int length = snprintf(buffer, sizeof buffer,
		                      "HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %lld\r\n\r\n",
		                      type_of(path), (long long)info.st_size);
		send_all(to, buffer, (size_t)length);
		for (ssize_t got; (got = read(file, buffer, sizeof buffer)) > 0;)
			send_all(to, buffer, (size_t)got);
	}
	if (file >= 0)
		close(file);
}

static void answer(int client, const char *root)
{
	char request[4096], path[8192], name[2048];
	ssize_t length = read(client, request, sizeof request - 1);
	if (length <= 0)
		return;
	request[length] = '\0';
	if (sscanf(request, "GET /%2000[^ ?\r\n]", name) != 1)
		strcpy(name, strncmp(request, "GET /", 5) == 0 ? "index.html" : "");
	if (name[0] == '\0')
		send_status(client, "405 Method Not Allowed");
	else if (strstr(name, ".."))
		send_status(client, "400 Bad Request");
	else {
		snprintf(path, sizeof path, "%s/%s", root, name);
		send_file(client, path);
	}
}

static int check(void)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = address(htonl(INADDR_LOOPBACK));
	return s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : 1;
}

static void stop(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check();
	const char *root = argc > 1 ? argv[1] : ".";
	const int yes = 1;
	struct timeval patience = { .tv_sec = 5 };
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	signal(SIGPIPE, SIG_IGN);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = address(htonl(INADDR_ANY));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) != 0 || listen(s, 64) != 0) {
		fprintf(stderr, "server: port %d: %s\n", port(), strerror(errno));
		return 1;
	}
	printf("serving %s on port %d\n", root, port());
	fflush(stdout);
	for (;;) {
		int client = accept(s, NULL, NULL);
		if (client < 0)
			continue;
		setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		answer(client, root);
		close(client);
	}
}

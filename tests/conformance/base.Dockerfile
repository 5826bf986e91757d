# The base of all cases. The mount points are there already: where they are missing the reference leaves them in the layer.
FROM scratch
WORKDIR /dev
WORKDIR /proc
WORKDIR /sys
WORKDIR /
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "-p", "/etc", "/root", "/tmp"]
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN printf 'root:x:0:0:root:/root:/bin/sh\ngull:x:1000:100:a bird:/home/gull:/bin/sh\n' > /etc/passwd \
 && printf 'root:x:0:\nbirds:x:100:\nfish:x:200:gull\n' > /etc/group && chmod 1777 /tmp
CMD ["sh"]

# Copies the first 4096 bytes of /f to standard output with the system calls of 32-bit x86.
    .globl _start
    .text
_start:
    movl $5, %eax           # open("/f", O_RDONLY)
    movl $path, %ebx
    xorl %ecx, %ecx
    int $0x80
    movl %eax, %ebx
    movl $3, %eax           # read
    movl $buffer, %ecx
    movl $4096, %edx
    int $0x80
    movl %eax, %edx
    movl $4, %eax           # write
    movl $1, %ebx
    movl $buffer, %ecx
    int $0x80
    movl $1, %eax           # exit(0)
    xorl %ebx, %ebx
    int $0x80
    .data
path:
    .asciz "/f"
    .bss
    .lcomm buffer, 4096
    .section .note.GNU-stack, "", @progbits

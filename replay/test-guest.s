# A multiboot guest for tests: timer interrupts at 1 kHz, HLT in between, and an echo on the first serial port.
# It prints ">", then each byte it receives. q: debug exit with value 3. h: halts for good. t: triple fault. s: spins.
# The image in test-guest.ts is made by: as --32 test-guest.s -o guest.o && objcopy -O binary guest.o guest.bin
.intel_syntax noprefix
.code32
header:
  .long 0x1badb002, 0x10000, -(0x1badb002+0x10000)
  .long 0x100000, 0x100000, 0x100000+(end-header), 0x100000+(end-header), 0x100000+(entry-header)
entry:
  mov esp, 0x90000
  lgdt [0x100000+gdtr-header]
  jmp 0x08:0x100000+protected-header
protected:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov eax, 0x100000+timer-header
  mov [0x8100], eax
  mov [0x8104], eax
  mov dword ptr [0x8102], 0x8e000008
  lidt [0x100000+idtr-header]
  mov esi, 0x100000+setup-header
outs:
  movzx edx, word ptr [esi]
  test edx, edx
  jz main
  mov al, [esi+2]
  out dx, al
  add esi, 3
  jmp outs
main:
  mov al, 0x3e
  call print
idle:
  sti
  hlt
  mov dx, 0x3fd
  in al, dx
  test al, 1
  jz idle
  mov dx, 0x3f8
  in al, dx
  cmp al, 'q'
  je quit
  cmp al, 'h'
  je halt
  cmp al, 't'
  je triple
  cmp al, 's'
  je spin
  call print
  jmp idle
quit:
  mov al, 3
  out 0xf4, al
halt:
  cli
  hlt
triple:
  lidt [0x100000+noidt-header]
  int3
spin:
  inc ebx
  jmp spin
print:
  mov ah, al
  mov dx, 0x3fd
print1:
  in al, dx
  test al, 0x20
  jz print1
  mov al, ah
  mov dx, 0x3f8
  out dx, al
  ret
timer:
  push eax
  inc dword ptr [0x9000]
  mov al, 0x20
  out 0x20, al
  pop eax
  iretd
setup:
  .word 0x20
  .byte 0x11
  .word 0x21
  .byte 0x20
  .word 0x21
  .byte 4
  .word 0x21
  .byte 1
  .word 0x21
  .byte 0xfe
  .word 0x43
  .byte 0x34
  .word 0x40
  .byte 0xa9
  .word 0x40
  .byte 4
  .word 0x3f9
  .byte 0
  .word 0x3fb
  .byte 3
  .word 0
gdtr: .word 23
  .long 0x100000+gdt-header
idtr: .word 0x7ff
  .long 0x8000
noidt: .word 0
  .long 0
.balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
end:

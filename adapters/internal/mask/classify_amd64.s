#include "textflag.h"

DATA bitOfRow<>+0(SB)/8, $0x8040201008040201
DATA bitOfRow<>+8(SB)/8, $0x8040201008040201
GLOBL bitOfRow<>(SB), RODATA|NOPTR, $16

DATA lowNibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL lowNibble<>(SB), RODATA|NOPTR, $16

DATA highBit<>+0(SB)/8, $0x8080808080808080
DATA highBit<>+8(SB)/8, $0x8080808080808080
GLOBL highBit<>(SB), RODATA|NOPTR, $16

// SPREAD puts the 16 bytes at from into both halves of to.
#define SPREAD(from, to) VBROADCASTI128 from, to

// CLASSIFY sets special and early to the masks of the 32 bytes at offset off of the
// text. VPSHUFB gives 0 for an index with its highest bit set: Y8 looks up the rows of
// bytes below 128, Y9, whose highest bits are inverted, the rows of the others.
#define CLASSIFY(off, special, early) \
	VMOVDQU off(SI), Y8 \
	VPXOR Y8, Y2, Y9 \
	VPSRLW $4, Y8, Y10 \
	VPAND Y10, Y1, Y10 \
	VPSHUFB Y10, Y0, Y10 \
	VPSHUFB Y8, Y4, Y11 \
	VPSHUFB Y9, Y5, Y12 \
	VPOR Y11, Y12, Y11 \
	VPAND Y10, Y11, Y11 \
	VPCMPEQB Y10, Y11, Y11 \
	VPMOVMSKB Y11, special \
	VPSHUFB Y8, Y6, Y11 \
	VPSHUFB Y9, Y7, Y12 \
	VPOR Y11, Y12, Y11 \
	VPAND Y10, Y11, Y11 \
	VPCMPEQB Y10, Y11, Y11 \
	VPMOVMSKB Y11, early

// func classifyAVX2(c *classes, text *byte, blocks *block, n int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ c+0(FP), AX
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), DI
	MOVQ n+24(FP), CX

	SPREAD(bitOfRow<>(SB), Y0)
	SPREAD(lowNibble<>(SB), Y1)
	SPREAD(highBit<>(SB), Y2)
	SPREAD(0(AX), Y4)
	SPREAD(16(AX), Y5)
	SPREAD(32(AX), Y6)
	SPREAD(48(AX), Y7)

next:
	CLASSIFY(0, R8, R9)
	CLASSIFY(32, R10, R11)
	SHLQ $32, R10
	SHLQ $32, R11
	ORQ R8, R10
	ORQ R9, R11
	MOVQ R10, 0(DI)
	MOVQ R11, 8(DI)
	ADDQ $64, SI
	ADDQ $16, DI
	DECQ CX
	JNZ next

	VZEROUPPER
	RET

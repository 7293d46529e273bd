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

// LOAD sets Y12 to the 32 bytes at offset off of the text, Y13 to the same with inverted
// highest bits, and Y14 to the bits of their rows.
#define LOAD(off) \
	VMOVDQU off(SI), Y12 \
	VPXOR Y12, Y2, Y13 \
	VPSRLW $4, Y12, Y14 \
	VPAND Y14, Y1, Y14 \
	VPSHUFB Y14, Y0, Y14

// MEMBERS sets mask to which of the bytes are in the set with the rows low and high.
// VPSHUFB gives 0 for an index with its highest bit set.
#define MEMBERS(low, high, mask) \
	VPSHUFB Y12, low, Y15 \
	VPSHUFB Y13, high, Y11 \
	VPOR Y15, Y11, Y15 \
	VPAND Y14, Y15, Y15 \
	VPCMPEQB Y14, Y15, Y15 \
	VPMOVMSKB Y15, mask

// SQUEEZE8 writes those of the 8 bytes at offset off of the text that the lowest byte of
// R10 tells to keep.
#define SQUEEZE8(off) \
	MOVBLZX R10, R11 \
	SHRQ $8, R10 \
	PDEPQ R15, R11, R12 \
	MOVQ R12, R13 \
	SHLQ $8, R12 \
	SUBQ R13, R12 \
	MOVQ off(SI), R13 \
	PEXTQ R12, R13, R13 \
	MOVQ R13, (DX) \
	MOVBLZX 112(AX)(R11*1), R11 \
	ADDQ R11, DX

// func squeezeAVX2(c *classes, text *byte, blocks *block, n int, out *byte) (written int)
TEXT ·squeezeAVX2(SB), NOSPLIT, $0-48
	MOVQ c+0(FP), AX
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX

	VBROADCASTI128 bitOfRow<>(SB), Y0
	VBROADCASTI128 lowNibble<>(SB), Y1
	VBROADCASTI128 highBit<>(SB), Y2
	VBROADCASTI128 0(AX), Y3
	VBROADCASTI128 16(AX), Y4
	VBROADCASTI128 32(AX), Y5
	VBROADCASTI128 48(AX), Y6
	VBROADCASTI128 64(AX), Y7
	VBROADCASTI128 80(AX), Y8
	VBROADCASTI128 96(AX), Y9
	MOVQ $0x0101010101010101, R15

next:
	LOAD(0)
	MEMBERS(Y3, Y4, R8)
	MEMBERS(Y5, Y6, R9)
	MEMBERS(Y7, Y8, R10)
	VPCMPEQB Y12, Y9, Y15
	VPMOVMSKB Y15, R11
	LOAD(32)
	MEMBERS(Y3, Y4, BX)
	SHLQ $32, BX
	ORQ BX, R8
	MEMBERS(Y5, Y6, BX)
	SHLQ $32, BX
	ORQ BX, R9
	MEMBERS(Y7, Y8, BX)
	SHLQ $32, BX
	ORQ BX, R10
	VPCMPEQB Y12, Y9, Y15
	VPMOVMSKB Y15, BX
	SHLQ $32, BX
	ORQ BX, R11

	// early: without the openers that nothing of after follows. What follows the last
	// byte of a block is not known.
	SHRQ $1, R10
	BTSQ $63, R10
	ANDNQ R11, R10, R10
	ANDNQ R9, R10, R9
	NOTQ R8
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	PEXTQ R8, R9, R9
	MOVQ R9, 16(DI)
	MOVQ DX, R10
	SUBQ out+32(FP), R10
	MOVQ R10, 24(DI)

	MOVQ R8, R10
	SQUEEZE8(0)
	SQUEEZE8(8)
	SQUEEZE8(16)
	SQUEEZE8(24)
	SQUEEZE8(32)
	SQUEEZE8(40)
	SQUEEZE8(48)
	SQUEEZE8(56)

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ next

	SUBQ out+32(FP), DX
	MOVQ DX, written+40(FP)
	VZEROUPPER
	RET

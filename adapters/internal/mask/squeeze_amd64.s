#include "textflag.h"

// Offsets of the fields of classes.
#define DROPPED 0
#define EARLY 32
#define STOP 64
#define DIGITS 96
#define OPENER 128
#define POPULATIONS 144
#define BITS 400

DATA bitOfRow<>+0(SB)/8, $0x8040201008040201
DATA bitOfRow<>+8(SB)/8, $0x8040201008040201
GLOBL bitOfRow<>(SB), RODATA|NOPTR, $16

DATA lowNibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL lowNibble<>(SB), RODATA|NOPTR, $16

DATA highBit<>+0(SB)/8, $0x8080808080808080
DATA highBit<>+8(SB)/8, $0x8080808080808080
GLOBL highBit<>(SB), RODATA|NOPTR, $16

DATA brackets<>+0(SB)/8, $0x3c3c3c3c3c3c3c3c
DATA brackets<>+8(SB)/8, $0x3c3c3c3c3c3c3c3c
DATA brackets<>+16(SB)/8, $0x3e3e3e3e3e3e3e3e
DATA brackets<>+24(SB)/8, $0x3e3e3e3e3e3e3e3e
GLOBL brackets<>(SB), RODATA|NOPTR, $32

// STORE stores at DI what is known of a block: R8 to R12 tell which bytes are dropped,
// early, of stop, of digits and openers, R13 and BX which are brackets. What follows the
// last byte of a block is not known. It uses R14.
#define STORE \
	SHRQ $1, R10 \
	BTSQ $63, R10 \
	SHRQ $1, R11 \
	MOVQ R11, R14 \
	SHRQ $1, R14 \
	BTSQ $62, R14 \
	ANDQ R14, R11 \
	ORQ R11, R10 \
	ANDNQ R12, R10, R10 \
	ANDNQ R9, R10, R9 \
	NOTQ R8 \
	MOVQ R8, 0(DI) \
	MOVQ R9, 8(DI) \
	MOVQ R13, 16(DI) \
	MOVQ BX, 24(DI)

// LOAD sets Y12 to the 32 bytes at offset off of the text, Y13 to the same with inverted
// highest bits, and Y14 to the bits of their rows.
#define LOAD(off) \
	VMOVDQU off(SI), Y12 \
	VPXOR Y12, Y2, Y13 \
	VPSRLW $4, Y12, Y14 \
	VPAND Y14, Y1, Y14 \
	VPSHUFB Y14, Y0, Y14

// MEMBERS sets mask to which of the bytes are in the set at offset set of the classes.
// VPSHUFB gives 0 for an index with its highest bit set.
#define MEMBERS(set, mask) \
	VBROADCASTI128 set(AX), Y10 \
	VBROADCASTI128 (set+16)(AX), Y11 \
	VPSHUFB Y12, Y10, Y15 \
	VPSHUFB Y13, Y11, Y11 \
	VPOR Y15, Y11, Y15 \
	VPAND Y14, Y15, Y15 \
	VPCMPEQB Y14, Y15, Y15 \
	VPMOVMSKB Y15, mask

// EQUAL sets mask to which of the bytes are those of bytes.
#define EQUAL(bytes, mask) \
	VPCMPEQB Y12, bytes, Y15 \
	VPMOVMSKB Y15, mask

// JOIN makes low the mask of 64 bytes whose last 32 are high.
#define JOIN(high, low) \
	SHLQ $32, high \
	ORQ high, low

// func classifyAVX2(c *classes, text *byte, all *classified, n int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ c+0(FP), AX
	MOVQ text+8(FP), SI
	MOVQ all+16(FP), DI
	MOVQ n+24(FP), CX

	VBROADCASTI128 bitOfRow<>(SB), Y0
	VBROADCASTI128 lowNibble<>(SB), Y1
	VBROADCASTI128 highBit<>(SB), Y2
	VBROADCASTI128 OPENER(AX), Y3
	VBROADCASTI128 brackets<>+0(SB), Y4
	VBROADCASTI128 brackets<>+16(SB), Y5

next:
	LOAD(0)
	MEMBERS(DROPPED, R8)
	MEMBERS(EARLY, R9)
	MEMBERS(STOP, R10)
	MEMBERS(DIGITS, R11)
	EQUAL(Y3, R12)
	EQUAL(Y4, R13)
	EQUAL(Y5, BX)
	LOAD(32)
	MEMBERS(DROPPED, DX)
	JOIN(DX, R8)
	MEMBERS(EARLY, DX)
	JOIN(DX, R9)
	MEMBERS(STOP, DX)
	JOIN(DX, R10)
	MEMBERS(DIGITS, DX)
	JOIN(DX, R11)
	EQUAL(Y3, DX)
	JOIN(DX, R12)
	EQUAL(Y4, DX)
	JOIN(DX, R13)
	EQUAL(Y5, DX)
	JOIN(DX, BX)
	STORE

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ next

	VZEROUPPER
	RET

// func classifyAVX512(c *classes, text *byte, all *classified, n int)
TEXT ·classifyAVX512(SB), NOSPLIT, $0-32
	MOVQ c+0(FP), AX
	MOVQ text+8(FP), SI
	MOVQ all+16(FP), DI
	MOVQ n+24(FP), CX

	VMOVDQU64 (BITS+0)(AX), Z0
	VMOVDQU64 (BITS+64)(AX), Z1
	VMOVDQU64 (BITS+128)(AX), Z2
	VMOVDQU64 (BITS+192)(AX), Z3
	MOVL $1, DX
	VPBROADCASTB DX, Z8
	VPADDB Z8, Z8, Z9
	VPADDB Z9, Z9, Z10
	VPADDB Z10, Z10, Z11
	VPADDB Z11, Z11, Z12
	VPADDB Z12, Z12, Z13
	VPADDB Z13, Z13, Z14

next:
	// VPERMI2B looks up the lowest 7 bits.
	VMOVDQU64 (SI), Z4
	VMOVDQA64 Z4, Z5
	VMOVDQA64 Z4, Z6
	VPERMI2B Z1, Z0, Z5
	VPERMI2B Z3, Z2, Z6
	VPMOVB2M Z4, K1
	VMOVDQU8 Z6, K1, Z5
	VPTESTMB Z8, Z5, K1
	VPTESTMB Z9, Z5, K2
	VPTESTMB Z10, Z5, K3
	VPTESTMB Z11, Z5, K4
	VPTESTMB Z12, Z5, K5
	VPTESTMB Z13, Z5, K6
	VPTESTMB Z14, Z5, K7
	KMOVQ K1, R8
	KMOVQ K2, R9
	KMOVQ K3, R10
	KMOVQ K4, R11
	KMOVQ K5, R12
	KMOVQ K6, R13
	KMOVQ K7, BX
	STORE

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ next

	VZEROUPPER
	RET

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
	MOVBLZX POPULATIONS(AX)(R11*1), R11 \
	ADDQ R11, DX

// TELL tells in the block at DI how much is written before it and which of its bytes are
// early. It sets R10 to which bytes it keeps. R14 is where out begins.
#define TELL \
	MOVQ 0(DI), R10 \
	MOVQ 8(DI), R9 \
	PEXTQ R10, R9, R9 \
	MOVQ R9, 16(DI) \
	MOVQ DX, R11 \
	SUBQ R14, R11 \
	MOVQ R11, 24(DI)

// func squeezeAVX2(c *classes, text *byte, blocks *block, n int, out *byte) (written int)
TEXT ·squeezeAVX2(SB), NOSPLIT, $0-48
	MOVQ c+0(FP), AX
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX
	MOVQ DX, R14
	MOVQ $0x0101010101010101, R15

next:
	TELL
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

	SUBQ R14, DX
	MOVQ DX, written+40(FP)
	RET

// func squeezeAVX512(text *byte, blocks *block, n int, out *byte) (written int)
TEXT ·squeezeAVX512(SB), NOSPLIT, $0-40
	MOVQ text+0(FP), SI
	MOVQ blocks+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ out+24(FP), DX
	MOVQ DX, R14

next:
	TELL
	KMOVQ R10, K1
	VMOVDQU64 (SI), Z0
	VPCOMPRESSB.Z Z0, K1, Z1
	VMOVDQU64 Z1, (DX)
	POPCNTQ R10, R10
	ADDQ R10, DX

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ next

	SUBQ R14, DX
	MOVQ DX, written+32(FP)
	VZEROUPPER
	RET

// LOOKUP shifts the bit of the gram at SI into R9; see hashGram.
#define LOOKUP \
	MOVL (SI), AX \
	ADDQ R8, SI \
	ORL $0x20202020, AX \
	IMULQ R10, AX \
	MOVQ AX, CX \
	SHRQ $52, AX \
	SHRQ $46, CX \
	MOVQ (DI)(AX*8), AX \
	BTQ CX, AX \
	ADCQ R9, R9

// func findGramsAMD64(grams *gramTable, bytes *byte, stride, n int, found *uint64)
TEXT ·findGramsAMD64(SB), NOSPLIT, $0-40
	MOVQ grams+0(FP), DI
	MOVQ bytes+8(FP), SI
	MOVQ stride+16(FP), R8
	MOVQ n+24(FP), BX
	MOVQ found+32(FP), DX
	MOVQ $0x9E3779B97F4A7C15, R10

word:
	XORQ R9, R9
	MOVQ $64, R11
	CMPQ BX, R11
	CMOVQLT BX, R11
	SUBQ R11, BX
	MOVQ $64, R12
	SUBQ R11, R12

next:
	SUBQ $4, R11
	JLT few
	LOOKUP
	LOOKUP
	LOOKUP
	LOOKUP
	JMP next

few:
	ADDQ $4, R11
	JEQ store

one:
	LOOKUP
	DECQ R11
	JNZ one

store:
	MOVQ R12, CX
	SHLQ CX, R9
	MOVQ R9, (DX)
	ADDQ $8, DX
	TESTQ BX, BX
	JNZ word

	RET

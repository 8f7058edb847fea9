"""Loops and their instructions are found in assembly as the compiler writes it."""

from dataclasses import replace

from pipeline.analysis.code import code_in
from pipeline.targets import target_named

# Two loops within one, the first of which keeps a sum and an address on the stack.
ARM = """
	.type	kernel,@function
kernel:
	sub	sp, sp, #32
	mov	x9, xzr
.LBB0_1:
	movi	v0.2d, #0000000000000000
	mov	x10, #8
.LBB0_2:
	ldr	q1, [x0], #16
	ldr	q2, [sp, #16]
	ldr	x12, [sp, #8]
	fmla	v0.4s, v1.4s, v3.s[0]
	fmla	v2.4s, v1.4s, v3.s[1]
	str	q2, [sp, #16]
	subs	x10, x10, #1
	b.ne	.LBB0_2
	str	q0, [x1], #16
.LBB0_3:
	ldr	s4, [x2], #4
	fmadd	s5, s4, s6, s5
	subs	x11, x11, #1
	b.ne	.LBB0_3
	add	x9, x9, #1
	cmp	x9, #4
	b.ne	.LBB0_1
	add	sp, sp, #32
	ret
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel
"""
X86 = """
	.type	kernel,@function
kernel:
	xorl	%eax, %eax
.LBB0_1:
	vmovaps	(%rdi,%rax,8), %zmm1
	vfmadd231ps	(%rsi,%rax){1to16}, %zmm1, %zmm2
	vmovups	%zmm2, 64(%rsp)
	addq	$8, %rax
	cmpq	$640, %rax
	jne	.LBB0_1
	retq
	.size	kernel, .Lend-kernel
"""
# It loads its arguments at once, and ends by loading where to go on.
ARM32 = """
	.type	kernel,%function
kernel:
	ldm	r0, {r1, r2, r3}
.LBB0_1:
	vld1.32	{d16, d17}, [r1]!
	vmla.f32	q9, q8, q10
	subs	r3, r3, #1
	bne	.LBB0_1
	ldm	sp!, {r4, pc}
	mov	r0, #0
	.size	kernel, .Lend-kernel
"""


def test_a_function_goes_on_after_loads_that_do_not_end_it() -> None:
    (loop,) = code_in(ARM32, target_named("armv7a")).counts
    assert (loop.instructions, loop.macs, loop.loads) == (4, 4, 1)


def test_an_outer_loop_has_the_instructions_that_no_inner_one_has() -> None:
    code = code_in(ARM, target_named("cortex-a76"))
    assert [loop.parent for loop in code.loops] == [None, 0, 0]
    assert [loop.innermost for loop in code.loops] == [False, True, True]
    assert [one.instructions for one in code.counts] == [6, 8, 4]


def test_multiply_adds_are_counted_by_lanes_and_spills_by_the_stack() -> None:
    outer, vector, scalar = code_in(ARM, target_named("cortex-a76")).counts
    assert (vector.multiplies, vector.macs, vector.scalar_macs) == (2, 8, 0)
    assert (vector.loads, vector.stores, vector.spills, vector.stored) == (3, 1, 3, 0)
    assert vector.vector_spills == 2
    assert (scalar.multiplies, scalar.macs, scalar.scalar_macs) == (0, 1, 1)
    assert (outer.macs, outer.stores, outer.stored, outer.spills) == (0, 1, 16, 0)


def test_operands_in_memory_belong_to_their_multiply_add_on_x86() -> None:
    # The one target of x86 is the host, which may be another machine.
    target = replace(target_named("cortex-a76"), triple="x86_64-unknown-linux-gnu")
    (one,) = code_in(X86, target).counts
    assert (one.multiplies, one.macs, one.loads, one.stores, one.spills) == (1, 16, 1, 1, 1)

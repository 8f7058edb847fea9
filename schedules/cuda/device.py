"""What kernels call besides what they consist of, in CUDA: it stands before them."""

import re

LOAD_MATRIX, MULTIPLY_MATRICES = "load_matrix", "multiply_matrices"
AWAIT_OTHERS, LET_NEXT_BEGIN = "await_others", "let_next_begin"
LOAD_EARLY = "load_early"
# A loop of this name is left as it is: unrolled by the compiler, it would load the weights of many
# turns before it multiplies any, and keep them outside of registers.
ROLLED = "matrix_step"
LOOP = re.compile(rf"for \(int {ROLLED}\w* = 0;")

# Where a kernel may be launched while the one before it still runs: waiting for its end, and
# allowing the next one's launch. In a kernel that was launched alone they do nothing.
TURNS = f"""
static __device__ __forceinline__ void {AWAIT_OTHERS}() {{
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}}

static __device__ __forceinline__ void {LET_NEXT_BEGIN}() {{
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}}

"""

# 128 bits of device memory to registers, where the program says so: loads that the compiler knows
# to read constants it moves behind barriers, next to what needs them.
EARLY = f"""
static __device__ __forceinline__ void {LOAD_EARLY}(float* to, const float* from) {{
  asm volatile("ld.global.v4.f32 {{%0, %1, %2, %3}}, [%4];"
               : "=f"(to[0]), "=f"(to[1]), "=f"(to[2]), "=f"(to[3]) : "l"(from) : "memory");
}}

"""
EARLY_HALVES = f"""
static __device__ __forceinline__ void {LOAD_EARLY}(half* to, const half* from) {{
  unsigned* into = reinterpret_cast<unsigned*>(to);
  asm volatile("ld.global.v4.b32 {{%0, %1, %2, %3}}, [%4];"
               : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3]) : "l"(from) : "memory");
}}

"""

HEADERS = "#include <cuda_fp16.h>\n"
# The vectors of halves that TVM names: four in 64 bits, and two in a part of one of 128 bits.
HALVES = """
struct __align__(8) half4 { half2 low, high; };

static __device__ __forceinline__ half4 make_half4(half x, half y, half z, half w) {
  return {make_half2(x, y), make_half2(z, w)};
}

static __device__ __forceinline__ unsigned __pack_half2(half low, half high) {
  return (unsigned(__half_as_ushort(high)) << 16) | __half_as_ushort(low);
}

"""

# The instructions of a warp for tensor cores; `fragments.py` tells who holds what. Turing takes
# half the depth at a time: the first or the second registers of what others take at once.
MATRICES = f"""
static __device__ __forceinline__ void {LOAD_MATRIX}(half* matrix, const half* row) {{
  unsigned* into = reinterpret_cast<unsigned*>(matrix);
  unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%0, %1, %2, %3}}, [%4];"
               : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3])
               : "r"(from));
}}

static __device__ __forceinline__ void {MULTIPLY_MATRICES}(
    float* sums, const half* data, const half* weight) {{
  const unsigned* a = reinterpret_cast<const unsigned*>(data);
  const unsigned* b = reinterpret_cast<const unsigned*>(weight);
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
               "{{%0, %1, %2, %3}}, {{%4, %5, %6, %7}}, {{%8, %9}}, {{%0, %1, %2, %3}};"
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  for (int half_depth = 0; half_depth < 2; ++half_depth)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{{%0, %1, %2, %3}}, {{%4, %5}}, {{%6}}, {{%0, %1, %2, %3}};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[2 * half_depth]), "r"(a[2 * half_depth + 1]), "r"(b[half_depth]));
#endif
}}

"""


def rolled(kernels: str) -> str:
    """The kernels with loops that are not to be unrolled marked so."""
    return LOOP.sub(lambda loop: f"\n#pragma unroll 1\n{loop[0]}", kernels)


def device_functions(kernels: str) -> str:
    """Definitions of what these kernels use."""
    if "half" not in kernels:
        return TURNS + EARLY
    matrices = MATRICES if MULTIPLY_MATRICES in kernels else ""
    return HEADERS + TURNS + EARLY + EARLY_HALVES + HALVES + matrices

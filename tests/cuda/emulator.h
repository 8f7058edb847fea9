// CUDA on a CPU, one block at a time: threads are fibers that run in turn from barrier to barrier.
//
// What a kernel computes here is what CUDA defines: types and their sizes, vectors that are
// aligned, warps of 32 threads that multiply matrices together, shared memory that holds NaN when a
// block begins. Barriers that not all threads reach, and vectors out of line, are faults.

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __forceinline__
#define __restrict__ __restrict
#define __launch_bounds__(...)
// Kernels run one after the other.
#define await_others()
#define let_next_begin()
#define __shared__ static __attribute__((section("block_shared")))
#define alignas(bytes) __attribute__((aligned(bytes)))
#define __align__(bytes) __attribute__((aligned(bytes)))

struct half {
  _Float16 value;
  half() = default;
  half(float wide) : value(static_cast<_Float16>(wide)) {}
  operator float() const { return value; }
};

enum Fault { NONE, STUCK, DIVERGED, MISALIGNED };
static Fault fault;

// A vector is moved at once, only between places where such a one may lie.
static void move(void* to, const void* from, size_t bytes) {
  // The compiler takes it for granted of what has the type of a vector.
  asm("" : "+r"(to), "+r"(from));
  if ((uintptr_t(to) | uintptr_t(from)) % bytes) fault = MISALIGNED;
  memcpy(to, from, bytes);
}
#define MOVED(Name) \
  Name() = default; \
  Name(const Name& other) { move(this, &other, sizeof(Name)); } \
  Name& operator=(const Name& other) { move(this, &other, sizeof(Name)); return *this; }

struct alignas(4) half2 { half x, y; MOVED(half2) };
struct alignas(8) half4 { half x, y, z, w; MOVED(half4) };
struct alignas(8) float2 { float x, y; MOVED(float2) };
struct alignas(16) float4 { float x, y, z, w; MOVED(float4) };
struct alignas(16) uint4 { unsigned x, y, z, w; MOVED(uint4) };

template <typename Made, typename Value>
Made vector_of(Value x, Value y) {
  Made made;
  made.x = x, made.y = y;
  return made;
}
template <typename Made, typename Value>
Made vector_of(Value x, Value y, Value z, Value w) {
  Made made;
  made.x = x, made.y = y, made.z = z, made.w = w;
  return made;
}
#define make_half2 vector_of<half2, half>
#define make_half4 vector_of<half4, half>
#define make_float2 vector_of<float2, float>
#define make_float4 vector_of<float4, float>
#define make_uint4 vector_of<uint4, unsigned>

inline float max(float one, float other) { return fmaxf(one, other); }
inline float min(float one, float other) { return fminf(one, other); }
inline int max(int one, int other) { return one > other ? one : other; }
inline int min(int one, int other) { return one < other ? one : other; }
inline float __expf(float value) { return expf(value); }
inline half __float2half_rn(float value) { return half(value); }
inline unsigned __pack_half2(half low, half high) {
  unsigned bits = 0;
  memcpy(&bits, &low, sizeof low);
  memcpy(reinterpret_cast<char*>(&bits) + sizeof low, &high, sizeof high);
  return bits;
}

template <typename Value>
static void load_early(Value* to, const Value* from) { move(to, from, 16); }

enum State { READY, AT_BARRIER, AT_WARP, DONE };
constexpr int WARP = 32, MOST_THREADS = 1024, STACK_BYTES = 64 * 1024;

struct Index { int x; };
struct Fiber {
  jmp_buf place;
  State state;
  int barrier;
  void (*together)(int);
  const void* operands[3];
};

static Index threadIdx, blockIdx;
static Fiber fibers[MOST_THREADS];
static jmp_buf scheduler;
static char* stacks;
static void (*body)();
static ucontext_t starting[MOST_THREADS], scheduler_context;

extern "C" char __attribute__((weak, visibility("hidden"))) __start_block_shared[];
extern "C" char __attribute__((weak, visibility("hidden"))) __stop_block_shared[];

static void leave(State state) {
  Fiber& own = fibers[threadIdx.x];
  own.state = state;
  if (!_setjmp(own.place)) _longjmp(scheduler, 1);
}

static void barrier(int line) {
  fibers[threadIdx.x].barrier = line;
  leave(AT_BARRIER);
}
#define __syncthreads() barrier(__LINE__)

// What a warp does together is done when its last thread arrives, in the memory of all.
static void with_warp(void (*together)(int), const void* a, const void* b, const void* c) {
  int first = threadIdx.x / WARP * WARP, waiting = 0;
  fibers[threadIdx.x].together = together;
  const void* operands[] = {a, b, c};
  memcpy(fibers[threadIdx.x].operands, operands, sizeof operands);
  for (int thread = first; thread < first + WARP; ++thread)
    if (thread != threadIdx.x && fibers[thread].state == AT_WARP) {
      if (fibers[thread].together != together) fault = DIVERGED;
      ++waiting;
    }
  if (waiting < WARP - 1) return leave(AT_WARP);
  together(first);
  for (int thread = first; thread < first + WARP; ++thread) fibers[thread].state = READY;
}

// Matrices of 8 x 8 halves: thread t hands in row t % 8 of matrix t / 8, and gets of each matrix two
// neighbours in row t / 4.
static void load_matrices(int first) {
  for (int thread = 0; thread < WARP; ++thread) {
    half* made = (half*)fibers[first + thread].operands[0];
    for (int matrix = 0; matrix < 4; ++matrix) {
      const half* row = (const half*)fibers[first + matrix * 8 + thread / 4].operands[1];
      if (uintptr_t(row) % 16) fault = MISALIGNED;
      memcpy(made + matrix * 2, row + thread % 4 * 2, 2 * sizeof(half));
    }
  }
}
static void load_matrix(half* matrix, const half* row) {
  with_warp(load_matrices, matrix, row, nullptr);
}

// 16 x 16 by 16 x 8, from and to the registers of the warp as PTX lays them out.
static void multiply_warp(int first) {
  float data[16][16], weight[16][8];
  for (int thread = 0; thread < WARP; ++thread) {
    const half* a = (const half*)fibers[first + thread].operands[1];
    const half* b = (const half*)fibers[first + thread].operands[2];
    for (int place = 0; place < 8; ++place)
      data[thread / 4 + place / 2 % 2 * 8][thread % 4 * 2 + place % 2 + place / 4 * 8] = a[place];
    for (int place = 0; place < 4; ++place)
      weight[thread % 4 * 2 + place % 2 + place / 2 * 8][thread / 4] = b[place];
  }
  for (int thread = 0; thread < WARP; ++thread) {
    float* sums = (float*)fibers[first + thread].operands[0];
    for (int place = 0; place < 4; ++place)
      for (int k = 0; k < 16; ++k)
        sums[place] += data[thread / 4 + place / 2 * 8][k] * weight[k][thread % 4 * 2 + place % 2];
  }
}
static void multiply_matrices(float* sums, const half* data, const half* weight) {
  with_warp(multiply_warp, sums, data, weight);
}

// A fiber lives on from block to block.
static void fiber() {
  for (;;) {
    body();
    leave(DONE);
  }
}

static void resume(int thread) {
  threadIdx.x = thread;
  if (!_setjmp(scheduler)) _longjmp(fibers[thread].place, 1);
}

static void begin(int thread) {
  ucontext_t& context = starting[thread];
  getcontext(&context);
  context.uc_stack.ss_sp = stacks + size_t(thread) * STACK_BYTES;
  context.uc_stack.ss_size = STACK_BYTES;
  context.uc_link = nullptr;
  makecontext(&context, [] {
    if (!_setjmp(fibers[threadIdx.x].place)) _longjmp(scheduler, 1);
    fiber();
  }, 0);
  threadIdx.x = thread;
  if (!_setjmp(scheduler)) swapcontext(&scheduler_context, &context);
}

// All threads that are not done wait at one barrier: they go on.
static bool release(int threads) {
  int line = -1;
  for (int thread = 0; thread < threads; ++thread) {
    Fiber& one = fibers[thread];
    if (one.state == DONE) continue;
    if (one.state != AT_BARRIER) return false;
    if (line >= 0 && line != one.barrier) fault = DIVERGED;
    line = one.barrier;
  }
  for (int thread = 0; thread < threads; ++thread)
    if (fibers[thread].state == AT_BARRIER) fibers[thread].state = READY;
  return line >= 0;
}

static bool done(int threads) {
  for (int thread = 0; thread < threads; ++thread)
    if (fibers[thread].state != DONE) return false;
  return true;
}

static void run_block(int threads, bool backwards) {
  size_t shared = __start_block_shared ? __stop_block_shared - __start_block_shared : 0;
  if (shared) memset(__start_block_shared, 0xff, shared);
  for (int thread = 0; thread < threads; ++thread) fibers[thread].state = READY;
  while (!fault && !done(threads)) {
    bool moved = false;
    for (int turn = 0; turn < threads; ++turn) {
      int thread = backwards ? threads - 1 - turn : turn;
      if (fibers[thread].state != READY) continue;
      resume(thread);
      moved = true;
    }
    if (!release(threads) && !moved) fault = STUCK;
  }
}

// The grid, with a fault's number if there is one.
static int run_grid(int blocks, int threads, bool backwards, void (*kernel)()) {
  static int begun = 0;
  if (!stacks) stacks = static_cast<char*>(malloc(size_t(MOST_THREADS) * STACK_BYTES));
  fault = NONE;
  body = kernel;
  for (; begun < threads; ++begun) begin(begun);
  for (blockIdx.x = 0; blockIdx.x < blocks && !fault; ++blockIdx.x) run_block(threads, backwards);
  return fault;
}

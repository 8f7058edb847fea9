/* Runs the kernels of a library, for CPUs that no runtime of TVM is packaged for.

       calls LIBRARY PROGRAM OUT

   PROGRAM, all in the byte order of the CPU: the number of tensors; of each its dimensions, their
   number first, and its floats; the number of calls; of each the length and text of a function's
   name, the number of its arguments, and the tensor of each; the tensor that is written to OUT. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tvm/ffi/c_api.h>

enum { TASKS = 2, NAME = 256, ARGUMENTS = 256, ALIGNMENT = 64 };

typedef struct { void *sync; int32_t tasks; } Group;
typedef int (*Lambda)(int task, Group *group, void *data);

static FILE *program;

static void fail(const char *what, const char *which) {
    fprintf(stderr, "%s: %s\n", what, which);
    exit(1);
}

/* What libraries leave to the runtime. */
void TVMFFIErrorSetRaisedFromCStrParts(const char *kind, const char **parts, int32_t count) {
    fprintf(stderr, "%s: ", kind);
    for (int32_t n = 0; n < count; ++n) fputs(parts[n], stderr);
}

typedef struct { Lambda lambda; int task; Group *group; void *data; int failed; } Task;

static void *perform(void *words) {
    Task *task = words;
    task->failed = task->lambda(task->task, task->group, task->data);
    return NULL;
}

/* All tasks at once, as they may wait for each other. */
static int launch(Lambda lambda, void *data, int tasks) {
    if (tasks > TASKS) fail("too many tasks", "of a kernel");
    pthread_barrier_t all;
    Group group = {&all, tasks ? tasks : TASKS};
    if (pthread_barrier_init(&all, NULL, group.tasks)) fail("no barrier", "for threads");
    Task made[TASKS];
    pthread_t threads[TASKS];
    for (int n = 0; n < group.tasks; ++n) {
        made[n] = (Task){lambda, n, &group, data, 0};
        if (pthread_create(&threads[n], NULL, perform, &made[n])) fail("no thread", "for a task");
    }
    int failed = 0;
    for (int n = 0; n < group.tasks; ++n) {
        pthread_join(threads[n], NULL);
        failed |= made[n].failed;
    }
    pthread_barrier_destroy(&all);
    return failed ? -1 : 0;
}

static int wait_for_all(int task, Group *group) {
    (void)task;
    pthread_barrier_wait(group->sync);
    return 0;
}

static void *allocate(int device, int id, uint64_t bytes, int code, int bits) {
    (void)device, (void)id, (void)code, (void)bits;
    return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static int release(int device, int id, void *memory) {
    (void)device, (void)id;
    free(memory);
    return 0;
}

static void provide(void *library, const char *name, void *function) {
    void **place = dlsym(library, name);
    if (place) *place = function;
}

static void take(void *into, size_t bytes) {
    if (fread(into, 1, bytes, program) != bytes) fail("the program ends", "too early");
}

static int32_t number(void) {
    int32_t value;
    take(&value, sizeof value);
    return value;
}

static size_t bytes_of(const DLTensor *tensor) {
    size_t bytes = sizeof(float);
    for (int n = 0; n < tensor->ndim; ++n) bytes *= tensor->shape[n];
    return bytes;
}

static DLTensor tensor(void) {
    DLTensor made = {.device = {kDLCPU, 0}, .dtype = {kDLFloat, 32, 1}, .ndim = number()};
    made.shape = calloc(made.ndim, sizeof *made.shape);
    made.strides = calloc(made.ndim, sizeof *made.strides);
    for (int n = 0; n < made.ndim; ++n) made.shape[n] = number();
    int64_t stride = 1;
    for (int n = made.ndim - 1; n >= 0; --n) {
        made.strides[n] = stride;
        stride *= made.shape[n];
    }
    made.data = allocate(0, 0, bytes_of(&made), 0, 0);
    take(made.data, bytes_of(&made));
    return made;
}

static void call(void *library, DLTensor *tensors) {
    char name[NAME] = {0};
    TVMFFIAny arguments[ARGUMENTS] = {0}, result = {0};
    int32_t length = number();
    if (length >= NAME) fail("too long a name", "of a function");
    take(name, length);
    int32_t count = number();
    if (count > ARGUMENTS) fail("too many arguments", name);
    for (int32_t n = 0; n < count; ++n) {
        arguments[n].type_index = kTVMFFIDLTensorPtr;
        arguments[n].v_ptr = &tensors[number()];
    }
    TVMFFISafeCallType function = (TVMFFISafeCallType)dlsym(library, name);
    if (!function) fail("no function", name);
    if (function(NULL, arguments, count, &result)) fail("it failed", name);
}

int main(int count, char **words) {
    if (count != 4) fail("usage", "calls LIBRARY PROGRAM OUT");
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) fail("not loaded", dlerror());
    provide(library, "__TVMBackendParallelLaunch", launch);
    provide(library, "__TVMBackendParallelBarrier", wait_for_all);
    provide(library, "__TVMBackendAllocWorkspace", allocate);
    provide(library, "__TVMBackendFreeWorkspace", release);
    program = fopen(words[2], "rb");
    if (!program) fail("no file", words[2]);
    int32_t tensors = number();
    DLTensor *all = calloc(tensors, sizeof *all);
    for (int32_t n = 0; n < tensors; ++n) all[n] = tensor();
    for (int32_t calls = number(); calls > 0; --calls) call(library, all);
    DLTensor *result = &all[number()];
    FILE *out = fopen(words[3], "wb");
    if (!out || !fwrite(result->data, bytes_of(result), 1, out) || fclose(out))
        fail("not written", words[3]);
    return 0;
}

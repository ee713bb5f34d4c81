/* A stand-in for libedgetpu: a TFLite delegate that works, or fails in the way that the test says.
 *
 * It takes two kinds of nodes: "edgetpu-custom-op", whose outputs it fills with zeros, and QUANTIZE from uint8 to
 * int8, which it computes, so that an ordinary quantised model gives its ordinary results.
 *
 * $STANDIN_PLAN names a file that is read at every load, so that the plan can change while others use this library:
 *     STAGE ACTION      load | prepare | destroy, or the number of the invoke since this load, from 1
 * ACTION is one of: fail, crash, hang, slow, exit, leave (with exit code 0), babble and flood (to standard output), grumble (to
 * standard error).
 * It adds a line to $STANDIN_PLAN.diary at every load ("load" and the options), at every destruction ("destroy") and
 * before it hangs ("hang"). Each line starts with the process ID.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The needed parts of TFLite's C structs, which tflite-runtime 2.14 and LiteRT 2 have in common. */
enum { OK = 0, ERROR = 1, QUANTIZE = 114, INT8 = 9, UINT8 = 3 };
typedef struct { int size; int data[]; } IntArray;
typedef struct {
    int type;
    void *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    void *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;
typedef struct { IntArray *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
typedef struct Context Context;
typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *later_versions[8]; /* passed by value: the newest runtime reads more of it than the oldest */
} Registration;
struct Context {
    size_t tensors_size;
    int (*get_execution_plan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    void *resize_tensor;
    void (*report_error)(Context *, const char *, ...);
    void *add_tensors;
    int (*get_node_and_registration)(Context *, int, Node **, Registration **);
    int (*replace_node_subsets)(Context *, Registration, const IntArray *, void *);
};
typedef struct Delegate {
    void *data;
    int (*prepare)(Context *, struct Delegate *);
    void *buffer_handles[3];
    int64_t flags;
    void *later_versions[8];
} Delegate;

static char plan[4096];
static long invokes;

static void read_plan(void) {
    plan[0] = '\0';
    const char *path = getenv("STANDIN_PLAN");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        plan[fread(plan, 1, sizeof plan - 1, file)] = '\0';
        fclose(file);
    }
}

static void note(const char *what, char **keys, char **values, size_t count);

/* Do what the plan says for this stage; returns false if the stage has to fail. */
static bool act(const char *stage) {
    for (const char *line = plan; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char at[32], action[32];
        if (sscanf(line, "%31s %31s", at, action) != 2 || strcmp(at, stage)) continue;
        if (!strcmp(action, "fail")) return false;
        if (!strcmp(action, "crash")) raise(SIGSEGV);
        if (!strcmp(action, "exit")) _exit(3);
        if (!strcmp(action, "leave")) exit(0);
        if (!strcmp(action, "babble")) puts("works\xff\nedge-pose: works"), fflush(stdout);
        for (int n = 0; n < 100000 && !strcmp(action, "flood"); n++) puts("a line of a flood");
        if (!strcmp(action, "grumble")) fputs("stand-in: grumble\n", stderr);
        if (!strcmp(action, "slow")) sleep(1);
        if (!strcmp(action, "hang")) note("hang", NULL, NULL, 0);
        while (!strcmp(action, "hang")) pause();
    }
    return true;
}

static void note(const char *what, char **keys, char **values, size_t count) {
    char path[4096];
    const char *plan_path = getenv("STANDIN_PLAN");
    if (!plan_path) return;
    snprintf(path, sizeof path, "%s.diary", plan_path);
    FILE *diary = fopen(path, "a");
    if (!diary) return;
    fprintf(diary, "%d %s", (int)getpid(), what);
    for (size_t n = 0; n < count; n++) fprintf(diary, " %s=%s", keys[n], values[n]);
    fprintf(diary, "\n");
    fclose(diary);
}

static void *init(Context *context, const char *buffer, size_t length) {
    (void)context, (void)buffer, (void)length;
    return NULL;
}

static void release(Context *context, void *data) { (void)context, (void)data; }

static int ready(Context *context, Node *node) {
    (void)context, (void)node;
    return OK;
}

static int invoke(Context *context, Node *node) {
    char number[32];
    snprintf(number, sizeof number, "%ld", ++invokes);
    if (!act(number)) {
        context->report_error(context, "stand-in: transfer %s failed", number);
        return ERROR;
    }
    const Tensor *in = NULL;
    for (int n = 0; n < node->inputs->size; n++)
        if (node->inputs->data[n] >= 0 && context->tensors[node->inputs->data[n]].type == UINT8)
            in = &context->tensors[node->inputs->data[n]];
    for (int n = 0; n < node->outputs->size; n++) {
        Tensor *out = &context->tensors[node->outputs->data[n]];
        uint8_t *to = out->data;
        if (out->type == INT8 && in && in->bytes == out->bytes)
            for (size_t i = 0; i < out->bytes; i++) to[i] = ((const uint8_t *)in->data)[i] ^ 0x80;
        else
            memset(to, 0, out->bytes);
    }
    return OK;
}

static int prepare(Context *context, Delegate *delegate) {
    if (!act("prepare")) {
        context->report_error(context, "stand-in: package requires runtime version (14)");
        return ERROR;
    }
    IntArray *nodes;
    if (context->get_execution_plan(context, &nodes) != OK) return ERROR;
    IntArray *ours = calloc(1, sizeof *ours + nodes->size * sizeof(int));
    for (int n = 0; n < nodes->size; n++) {
        Node *node;
        Registration *kind;
        if (context->get_node_and_registration(context, nodes->data[n], &node, &kind) != OK) return ERROR;
        bool compiled = kind->custom_name && !strcmp(kind->custom_name, "edgetpu-custom-op");
        bool quantize = kind->builtin_code == QUANTIZE && context->tensors[node->inputs->data[0]].type == UINT8;
        if (compiled || quantize) ours->data[ours->size++] = nodes->data[n];
    }
    Registration kernel = {init, release, ready, invoke, NULL, 0, "StandIn", 1, {NULL}};
    int status = context->replace_node_subsets(context, kernel, ours, delegate);
    free(ours);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    read_plan();
    invokes = 0;
    note("load", keys, values, count);
    if (!act("load")) {
        report("stand-in: no device");
        return NULL;
    }
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->prepare = prepare;
    delegate->flags = 1; /* dynamic tensors are allowed: like libedgetpu, it is prepared before any other node */
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (!delegate) return;
    act("destroy");
    note("destroy", NULL, NULL, 0);
    free(delegate);
}

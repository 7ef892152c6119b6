/* What the generated kernels use. A block of threads computes one row; its threads share the columns. */
typedef REAL real;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#define sigmoid_of(x) (1 / (1 + exp(-(x))))
#define tanh_of tanh
#define exp_of exp
#define SQRT sqrt
#define LOG log
#define EXPM1 expm1
#define LOG1P log1p
#define SIN sin
#define COS cos
#define ERF erf
#define POW pow
#define ABS fabs
#define EACH(n) for (long j = threadIdx.x; j < n; j += blockDim.x)
#define EACH_SUM(n, ...) EACH(n)
#define EACH_MAX(n) EACH(n)
#define GATHER_sum(v) v = row_sum(v)
#define GATHER_amax(v) v = row_amax(v)
#define SYNC __syncthreads();
__shared__ real parts[THREADS];
#define OVER_THREADS(NAME, COMBINE)                              \
  __device__ real NAME(real v) { /* of all threads of a row */    \
    parts[threadIdx.x] = v;                                       \
    __syncthreads();                                              \
    real a = parts[0];                                            \
    for (int k = 1; k < blockDim.x; k++) { real b = parts[k]; a = COMBINE; } \
    __syncthreads();                                              \
    return a;                                                     \
  }
OVER_THREADS(row_sum, a + b)
OVER_THREADS(row_amax, (b > a || b != b ? b : a))

/* What the generated kernels use. A block of threads computes one row; its threads share the columns. */
typedef REAL real;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#define long long long /* 64 bits wherever it is compiled */
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
#define KERNEL extern "C" __global__ __launch_bounds__(THREADS) void
#define EACH_ROW for (bool more = true; more; more = false, __syncthreads()) /* the block's one row */
#define EACH_STEP for (long t = 0; t < T; t++)
#define EACH_STEP_BACK for (long t = T - 1; t >= 0; t--)
#define EACH(n) for (long j = threadIdx.x; j < n; j += THREADS)
#define EACH_SUM(n, ...) EACH(n)
#define EACH_MAX(n) EACH(n)
#define GATHER_sum(v) v = row_sum(v)
#define GATHER_amax(v) v = row_amax(v)
#define SYNC __syncthreads();
__shared__ real parts[THREADS];
#define OVER_THREADS(NAME, COMBINE)                                  \
  __device__ real NAME(real v) { /* of all threads of a row, in pairs */ \
    parts[threadIdx.x] = v;                                          \
    for (int half = THREADS / 2; half > 0; half /= 2) {             \
      __syncthreads();                                               \
      if (threadIdx.x >= half) continue;                             \
      real a = parts[threadIdx.x], b = parts[threadIdx.x + half];    \
      parts[threadIdx.x] = COMBINE;                                  \
    }                                                                \
    __syncthreads();                                                 \
    v = parts[0];                                                    \
    __syncthreads();                                                 \
    return v;                                                        \
  }
OVER_THREADS(row_sum, a + b)
OVER_THREADS(row_amax, (b > a || b != b ? b : a))
/* out[N] = a[K] @ W[K, N]. Where there are more threads than columns, teams of them share the sums. */
__device__ void product(int K, int N, const real *a, const real *W, real *out) {
  const int teams = THREADS / N, team = threadIdx.x / N, j = threadIdx.x % N;
  if (teams < 2)
    for (int n = threadIdx.x; n < N; n += THREADS) {
      real v = 0;
#pragma unroll 16
      for (int k = 0; k < K; k++) v += a[k] * W[k * N + n];
      out[n] = v;
    }
  else {
    real v = 0;
    if (team < teams) {
#pragma unroll 16
      for (int k = team; k < K; k += teams) v += a[k] * W[k * N + j];
    }
    parts[threadIdx.x] = v;
    __syncthreads();
    for (int q = 1; team == 0 && q < teams; q++) v += parts[q * N + j];
    if (team == 0) out[j] = v;
  }
  __syncthreads(); /* everybody reads it, and nobody reads parts any more */
}

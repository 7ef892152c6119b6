/* What the generated kernels use. A block of threads computes one row; its threads share the columns. */
typedef REAL real;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#define long long long /* 64 bits wherever it is compiled */
#define tanh_of tanh
#define exp_of exp
__device__ real sigmoid_of(real x) { /* right to the last digits on the left too; no number overflows */
  const real e = exp(x > 40 ? 40 : x);
  return e / (1 + e);
}
__device__ real remainder_of(real a, real b) { /* has the sign of b */
  const real r = fmod(a, b);
  return r == 0 ? copysign(r, b) : (r < 0) != (b < 0) && r == r ? r + b : r;
}
#define KERNEL extern "C" __global__ __launch_bounds__(THREADS) void
#define EACH_ROW for (bool more = true; more; more = false, __syncthreads()) /* the block's one row */
#define EACH_STEP for (long t = 0; t < T; t++)
#define EACH_STEP_BACK for (long t = T - 1; t >= 0; t--)
#define EACH(n) for (long j = threadIdx.x; j < n; j += THREADS)
#define EACH_SUM(n, ...) EACH(n)
#define EACH_MAX(n) EACH(n)
#define GATHER_sum(v) v = row_sum(v)
#define GATHER_amax(v) v = row_amax(v)
#define GATHER_amin(v) v = row_amin(v)
#define SYNC __syncthreads();
__shared__ real parts[4 * THREADS];
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
OVER_THREADS(row_amin, (b < a || b != b ? b : a))
/* out[N] = a[K] @ W[K, N]. A thread computes SOME columns side by side, and asks for AHEAD of their
   weights before it needs the first: that is what takes time. Where there are more threads than
   such columns, teams of them share the sums. */
#define UNROLLED(n, N) _Pragma("unroll") for (int n = 0; n < N; n++)
#define AHEAD (64 / sizeof(real)) /* as many as there are registers for */
#define PRODUCT(NAME, SOME)                                                                   \
  typedef struct __align__(SOME % 4 ? sizeof(real) : 16) { real at[SOME]; } NAME##_columns;   \
  __device__ void NAME(int K, int N, const real *a, const real *__restrict__ W, real *out) {  \
    const int each = N / SOME;                                                                \
    int teams = 1;                                                                            \
    while (2 * teams * each <= THREADS) teams *= 2; /* so they have equally much to do */     \
    const int team = teams > 1 ? threadIdx.x / each : 0;                                      \
    real *to = teams > 1 ? parts + team * N : out;                                            \
    for (int c = threadIdx.x - team * each; team < teams && c < each; c += THREADS) {         \
      NAME##_columns v = {0}, w[AHEAD];                                                       \
      for (int k = team; k < K; k += AHEAD * teams) {                                         \
        real b[AHEAD];                                                                        \
        UNROLLED(n, AHEAD) if (k + n * teams < K) {                                           \
          w[n] = ((const NAME##_columns *)(W + (long)(k + n * teams) * N))[c];                \
          b[n] = a[k + n * teams];                                                            \
        }                                                                                     \
        UNROLLED(n, AHEAD) if (k + n * teams < K)                                             \
          UNROLLED(s, SOME) v.at[s] += b[n] * w[n].at[s];                                     \
      }                                                                                       \
      UNROLLED(s, SOME) to[c * SOME + s] = v.at[s];                                           \
    }                                                                                         \
    __syncthreads();                                                                          \
    for (int n = threadIdx.x; teams > 1 && n < N; n += THREADS) {                             \
      real v = 0;                                                                             \
      for (int t = 0; t < teams; t++) v += parts[t * N + n];                                  \
      out[n] = v;                                                                             \
    }                                                                                         \
    __syncthreads(); /* everybody reads it, and nobody reads parts any more */                \
  }
PRODUCT(product_of_1, 1)
PRODUCT(product_of_4, 4)

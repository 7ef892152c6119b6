/* What every generated program uses: exp and friends that vectorise, and a small matrix product.
   REAL is float or double, defined above. No branch, no table, no errno: each function is
   inlined into loops that the compiler turns into vector code. NaN stays NaN. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h> /* of float what is asked of float */
typedef REAL real;

/* What the loops of the phases are: over time, over blocks of T·B rows, over rows and over columns. */
#define EACH_STEP for (long t = 0, from = first, to = last; t < T; t++)
#define EACH_STEP_BACK for (long t = T - 1, from = first, to = last; t >= 0; t--)
#define BLOCK 96 /* rows that go through all of an outer phase together, so that they stay in cache */
#define EACH_BLOCK \
  for (long t = 0, from = first, to; to = from + BLOCK < last ? from + BLOCK : last, from < last; from = to)
#define EACH_ROW for (long b = from; b < to; b++)
#define PRAGMA(text) _Pragma(#text)
#define EACH_MAX(n) for (long j = 0; j < n; j++)
#define EACH(n) PRAGMA(omp simd) EACH_MAX(n)
#define EACH_SUM(n, ...) PRAGMA(omp simd reduction(+ : __VA_ARGS__)) EACH_MAX(n)
#define GATHER_sum(v) /* a row has one thread here: the sum is complete */
#define GATHER_amax(v)
#define GATHER_amin(v)
#define SYNC

#if defined(__AVX512F__)
#define VECTOR 64 /* bytes in a register; a tile is ROWS rows of TILE registers */
#define TILE 4
#elif defined(__AVX__)
#define VECTOR 32
#define TILE 2
#else
#define VECTOR 16
#define TILE 4
#endif
#define ROWS 6
#define SUMS 4
#define LANES ((long)(VECTOR / sizeof(real)))
#define WIDE (TILE * LANES)
typedef real vec __attribute__((vector_size(VECTOR), aligned(sizeof(real))));
#if defined(__AVX512F__)
#define KEEP(value) __asm__("" : "+v"(value)) /* in a register: else every use may load it again */
#elif defined(__SSE__)
#define KEEP(value) __asm__("" : "+x"(value))
#else
#define KEEP(value)
#endif
#define INLINE static inline __attribute__((always_inline, unused))

/* e^x - 1 = s q + (s - 1) with x = n ln 2 + r, s = 2^n and q = e^r - 1 (Taylor, |r| <= ln2 / 2).
   Adding MAGIC rounds to a whole n, whose bits then stand at the bottom of the sum. */
#if SINGLE
typedef int32_t bits;
typedef uint32_t places;
#define MAGIC 0x1.8p23f
#define MANTISSA 23
#define BIAS 127
#define LN2_HIGH 0x1.62e400p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define LEAST -104 /* e^LEAST is 0, e^MOST is infinite */
#define MOST 89
INLINE real series(real r) { /* in pairs: a chain of six would wait for each */
  real r2 = r * r, a = r * (1.f / 6) + 1.f / 2, b = r * (1.f / 120) + 1.f / 24, c = r * (1.f / 5040) + 1.f / 720;
  return r + r2 * (a + r2 * (b + r2 * c));
}
#else
typedef int64_t bits;
typedef uint64_t places;
#define MAGIC 0x1.8p52
#define MANTISSA 52
#define BIAS 1023
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LEAST -746
#define MOST 710
INLINE real series(real r) {
  real q = 1. / 6227020800;
  q = q * r + 1. / 479001600, q = q * r + 1. / 39916800, q = q * r + 1. / 3628800;
  q = q * r + 1. / 362880, q = q * r + 1. / 40320, q = q * r + 1. / 5040;
  q = q * r + 1. / 720, q = q * r + 1. / 120, q = q * r + 1. / 24;
  q = q * r + 1. / 6, q = q * r + 1. / 2;
  return r + r * r * q;
}
#endif

INLINE real split_exp(real x, bits bias, real *q) { /* 2^(n + bias - BIAS) */
  union { real f; bits i; } n, s;
  n.f = x * (real)1.4426950408889634 + MAGIC;
  real whole = n.f - MAGIC;
  *q = series((x - whole * LN2_HIGH) - whole * LN2_LOW);
  s.i = (bits)((n.i + bias) << MANTISSA);
  return s.f;
}
/* Bounds are compared with x on the left: NaN is below none, stays, and comes out as NaN. */
INLINE real exp_of(real x) { /* 2^n in two factors: 2^128 is no number, nor 2^-149 one with this exponent */
  union { real f; places i; } n, magic = {MAGIC}, high, low;
  x = x < LEAST ? LEAST : x > MOST ? MOST : x;
  n.f = x * (real)1.4426950408889634 + MAGIC;
  const real whole = n.f - MAGIC, q = series((x - whole * LN2_HIGH) - whole * LN2_LOW);
  const places both = n.i - magic.i + 2 * BIAS, half = both >> 1;
  high.i = half << MANTISSA, low.i = (both - half) << MANTISSA;
  return (high.f * q + high.f) * low.f;
}
INLINE real remainder_of(real a, real b) { /* has the sign of b */
  const real r = fmod(a, b);
  return r == 0 ? copysign(r, b) : (r < 0) != (b < 0) && r == r ? r + b : r;
}
INLINE real sigmoid_of(real x) { /* 2^64 e^x / (2^64 + 2^64 e^x): the division alone may leave the normal numbers */
  real q, s = split_exp(x < LEAST ? LEAST : x > 40 ? 40 : x, BIAS + 64, &q), e = s * q + s;
  return e / ((real)0x1p64 + e);
}
INLINE real tanh_of(real x) { /* (e^2|x| - 1) / (e^2|x| + 1), exact also where x is small; the sign of -0 too */
  union { real f; bits i; } size = {2 * x}, minus = {-(real)0}, y;
  const bits sign = size.i & minus.i;
  size.i &= ~minus.i;
  real q, s = split_exp(size.f > 44 ? 44 : size.f, BIAS, &q), e = s * q + (s - 1);
  y.f = e / (e + 2);
  y.i |= sign;
  return y.f;
}

/* C[M, N] (+)= A[M, K] @ W, where W was packed in panels of WIDE columns, zeros behind the last. */
INLINE void tile(int rows, long K, const real *A, long lda, long step, const real *P, real *C, long ldc, int add) {
  vec c[ROWS][TILE];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < TILE; j++) c[i][j] = add ? *(vec *)(C + i * ldc + j * LANES) : (vec){0};
  for (long k = 0; k < K; k++) {
    vec b[TILE];
    for (int j = 0; j < TILE; j++) {
      b[j] = *(const vec *)(P + k * WIDE + j * LANES);
      KEEP(b[j]);
    }
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < TILE; j++) c[i][j] += A[i * lda + k * step] * b[j];
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < TILE; j++) *(vec *)(C + i * ldc + j * LANES) = c[i][j];
}
/* A long sum has four parts: going back through them at every other step changes no number, and
   what was read last may still be in cache. */
INLINE void one_row(int panels, long K, const real *A, const real *P, real *C, int back) {
  const int vectors = panels * TILE, each = 8 / vectors, parts = K < 128 ? 1 : 4;
  vec sum[4][8];
  for (int q = 0; q < parts; q++) {
    vec c[8] = {0}; /* of some columns, or several of each, since one alone would wait for itself */
    const int part = back ? parts - 1 - q : q;
    const long end = K * (part + 1) / parts;
    long k = K * part / parts;
    for (; k + each <= end; k += each)
      for (int s = 0; s < each; s++)
        for (int j = 0; j < vectors; j++)
          c[s * vectors + j] += A[k + s] * *(const vec *)(P + (j / TILE * K + k + s) * WIDE + j % TILE * LANES);
    for (; k < end; k++)
      for (int j = 0; j < vectors; j++)
        c[j] += A[k] * *(const vec *)(P + (j / TILE * K + k) * WIDE + j % TILE * LANES);
    for (int j = 0; j < vectors; j++) {
      for (int s = 1; s < each; s++) c[j] += c[s * vectors + j];
      sum[part][j] = c[j];
    }
  }
  for (int j = 0; j < vectors; j++) {
    for (int q = 1; q < parts; q++) sum[0][j] += sum[q][j];
    *(vec *)(C + j * LANES) = sum[0][j];
  }
}
static void panel(long M, long K, const real *A, long lda, long step, const real *P, real *C, long ldc,
                  int add, int back) {
  for (long left = (M + ROWS - 1) / ROWS, rows; left > 0; left--) { /* evenly: tiles of few rows are slow */
    switch (rows = (M + left - 1) / left) {
      case 6: tile(6, K, A, lda, step, P, C, ldc, add); break;
      case 5: tile(5, K, A, lda, step, P, C, ldc, add); break;
      case 4: tile(4, K, A, lda, step, P, C, ldc, add); break;
      case 3: tile(3, K, A, lda, step, P, C, ldc, add); break;
      case 2: tile(2, K, A, lda, step, P, C, ldc, add); break;
      case 1: /* a batch of one has its own order of adding, whatever the number of threads */
        if (ALONE && step == 1 && !add) one_row(1, K, A, P, C, back);
        else tile(1, K, A, lda, step, P, C, ldc, add);
    }
    M -= rows, A += rows * lda, C += rows * ldc;
  }
}
static void edge(long M, long N, long K, const real *A, long lda, long step, const real *P, real *C, long ldc,
                 int add) {
  real part[ROWS * WIDE]; /* the last columns go through a tile of our own */
  for (long m = 0; m < M; m += ROWS) {
    long rows = M - m < ROWS ? M - m : ROWS, size = N * sizeof(real);
    for (long i = 0; add && i < rows; i++) memcpy(part + i * WIDE, C + (m + i) * ldc, size);
    panel(rows, K, A + m * lda, lda, step, P, part, WIDE, add, 0);
    for (long i = 0; i < rows; i++) memcpy(C + (m + i) * ldc, part + i * WIDE, size);
  }
}
INLINE void panels(long n, long M, long N, long K, const real *A, long lda, long step, const real *P, real *C,
                   long ldc, int add, int back) { /* the panel that begins at column n */
  if (n + WIDE <= N) panel(M, K, A, lda, step, P + n * K, C + n, ldc, add, back);
  else edge(M, N - n, K, A, lda, step, P + n * K, C + n, ldc, add);
}
/* Every other call goes back through the panels: what was read last may still be in cache. */
__attribute__((unused)) static void product(long M, long N, long K, const real *A, long lda, const real *P,
                                            real *C, long ldc, int back) {
  const long many = 8 / TILE, columns = many * WIDE, last = (N - 1) / WIDE;
  if (ALONE && M == 1 && N % columns == 0)
    for (long q = 0; q < N; q += columns) {
      long n = back ? N - columns - q : q;
      one_row(8 / TILE, K, A, P + n * K, C + n, back);
    }
  else
    for (long q = 0; q <= last; q++) panels((back ? last - q : q) * WIDE, M, N, K, A, lda, 1, P, C, ldc, 0, back);
}
/* c[N] = a[K] @ B, a row of the batch's own product: entries of B lie `down` and `right` apart. */
INLINE void row_product(const real *a, const real *B, real *c, long K, long step, long N, long down, long right,
                        long apart) {
  if (right != 1 || N == 1)
    for (long n = 0; n < N; n++) {
      real sum = 0;
      EACH_SUM(K, sum) sum += a[j * step] * B[j * down + n * right];
      c[n * apart] = sum;
    }
  else
    for (long k = 0; k < K; k++, a += step, B += down) {
      if (k == 0) EACH(N) c[j * apart] = a[0] * B[j];
      else EACH(N) c[j * apart] += a[0] * B[j];
    }
}
void pack(long K, long N, const real *W, long down, long right, real *P) {
  for (long n = 0; n < N; n += WIDE)
    for (long from = 0, to; from < K; P += (to - from) * WIDE, from = to) { /* a cache line of W at a time */
      to = from + LANES < K ? from + LANES : K;
      if (right == 1 && n + WIDE <= N)
        for (long k = from; k < to; k++) memcpy(P + (k - from) * WIDE, W + k * down + n, sizeof(real) * WIDE);
      else
        for (long j = 0; j < WIDE; j++)
          for (long k = from; k < to; k++)
            P[(k - from) * WIDE + j] = n + j < N ? W[k * down + (n + j) * right] : 0;
    }
}
/* The part of n that a thread has where it takes columns of a result, not rows of the batch. */
#define SHARE(n) (n) * part / parts, (n) * next / parts
/* C = Aᵀ[first:last] @ B over K rows of A and B: what weights' gradients are. DEEP rows of B are packed at a
   time, and HIGH columns of A copied to where their rows lie close together. */
#define DEEP 128
#define HIGH (ROWS * 40)
#define APART (HIGH + 8) /* not a power of two: that many rows would share few places of the cache */
__attribute__((unused)) static void contract(long first, long last, long N, long K, const real *A, long lda,
                                             const real *B, long ldb, real *C) {
  const long most = K < DEEP ? K : DEEP;
  real *work = malloc(most * (APART + N + WIDE) * sizeof(real)), *P = work + most * APART;
  for (long k = 0, deep; deep = K - k < DEEP ? K - k : DEEP, !k || deep > 0; k += DEEP) {
    pack(deep, N, B + k * ldb, ldb, 1, P);
    for (long m = first; m < last; m += HIGH) {
      long M = last - m < HIGH ? last - m : HIGH;
      for (long i = 0; i < deep; i++) memcpy(work + i * APART, A + (k + i) * lda + m, M * sizeof(real));
      for (long n = 0; n < N; n += WIDE) panels(n, M, N, deep, work, 1, APART, P, C + m * N, N, k > 0, 0);
    }
  }
  free(work);
}
/* C = the sums of A's columns, of four rows at a time. */
__attribute__((unused)) static void sums(long first, long last, long K, const real *A, long lda, real *C) {
  long k = 0;
  A += first, C += first, last -= first;
  EACH(last) C[j] = 0;
  for (; k + 4 <= K; k += 4, A += 4 * lda)
    EACH(last) C[j] += (A[j] + A[j + lda]) + (A[j + 2 * lda] + A[j + 3 * lda]);
  for (; k < K; k++, A += lda) EACH(last) C[j] += A[j];
}
long packed(long K, long N) { return K * ((N + WIDE - 1) / WIDE * WIDE); }

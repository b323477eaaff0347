// Blind estimate of the noise level (Chen, Zhu and Heng, ICCV 2015), as rimkit.estimate_sigma does it.

const SIDE = 8, SIZE = SIDE * SIDE, MOST = 200000;

export function estimateSigma(image, channels, height, width) {
  const rows = height - SIDE + 1, columns = width - SIDE + 1;
  const count = channels * rows * columns;
  const step = Math.ceil(count / MOST);
  const mean = new Float64Array(SIZE), products = new Float64Array(SIZE * SIZE), patch = new Float64Array(SIZE);
  let taken = 0;
  for (let number = 0; number < count; number += step, taken++) {
    const channel = Math.floor(number / (rows * columns));
    const row = Math.floor(number / columns) % rows, column = number % columns;
    for (let i = 0; i < SIZE; i++) {
      patch[i] = image[(channel * height + row + (i >> 3)) * width + column + (i & 7)];
      mean[i] += patch[i];
    }
    for (let i = 0; i < SIZE; i++) {
      const value = patch[i], base = i * SIZE;
      for (let j = i; j < SIZE; j++) products[base + j] += value * patch[j];
    }
  }
  const covariance = new Float64Array(SIZE * SIZE);
  for (let i = 0; i < SIZE; i++) {
    for (let j = i; j < SIZE; j++) {
      const value = products[i * SIZE + j] / taken - (mean[i] / taken) * (mean[j] / taken);
      covariance[i * SIZE + j] = covariance[j * SIZE + i] = value;
    }
  }
  const values = eigenvalues(covariance, SIZE);
  for (let kept = SIZE; kept > 0; kept--) {
    const average = values.subarray(0, kept).reduce((sum, value) => sum + value, 0) / kept;
    if (average <= values[Math.floor((kept - 1) / 2)]) return Math.sqrt(Math.max(0, average));
  }
  return 0;
}

// Eigenvalues of a symmetric matrix, from the smallest, by Jacobi rotations. The matrix is lost.
export function eigenvalues(a, n) {
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0, all = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) (i === j ? (all += a[i * n + j] ** 2) : (off += a[i * n + j] ** 2));
    if (off <= 1e-26 * all) break;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q];
        if (apq === 0) continue;
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(1, theta));
        const c = 1 / Math.hypot(1, t), s = t * c;
        for (let k = 0; k < n; k++) {
          const kp = a[k * n + p], kq = a[k * n + q];
          a[k * n + p] = c * kp - s * kq;
          a[k * n + q] = s * kp + c * kq;
        }
        for (let k = 0; k < n; k++) {
          const pk = a[p * n + k], qk = a[q * n + k];
          a[p * n + k] = c * pk - s * qk;
          a[q * n + k] = s * pk + c * qk;
        }
      }
    }
  }
  return Float64Array.from({ length: n }, (_, i) => a[i * n + i]).sort();
}

// Chunks backwards in time. Inside a chunk y = M x with M = L o G o dt (decay, content C B^T, step size), so
// gradients are those of a masked attention without softmax; between chunks the gradient of the state is
// passed on. Every decay between two tokens is a sum of log decays: d_log_decay[k] sums, over all pairs m < k
// <= l, the gradient times the value of what decayed from m to l.
#include "kernels/ops/ssd_backward.h"

#include <cmath>
#include <numeric>

#include "kernels/base/parallel.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/ssd_heads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/ssd_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// m = decay o content o step
void mix_row(const float* decay, const float* content, const float* step, float* m, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Mul(hn::Mul(load_n(d, decay + i, n), load_n(d, content + i, n)), load_n(d, step + i, n)), d,
            m + i, n);
  });
}

// One row of a mixing matrix: d_m becomes the gradient of the content, d_step and columns are added to (what
// leaves each column's token); returns what arrives at the row's token.
float mix_backward_row(const float* decay, const float* content, const float* step, float* d_m, float* d_step,
                       float* columns, std::size_t count) {
  const FloatTag d;
  FloatVec arriving = hn::Zero(d);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec through = hn::Mul(load_n(d, d_m + i, n), load_n(d, decay + i, n));
    const FloatVec g = load_n(d, content + i, n);
    const FloatVec d_content = hn::Mul(through, load_n(d, step + i, n));
    const FloatVec flow = hn::Mul(d_content, g);
    store_n(hn::MulAdd(through, g, load_n(d, d_step + i, n)), d, d_step + i, n);
    store_n(hn::Add(load_n(d, columns + i, n), flow), d, columns + i, n);
    store_n(d_content, d, d_m + i, n);
    arriving = hn::Add(arriving, flow);
  });
  return hn::GetLane(hn::SumOfLanes(d, arriving));
}

void axpy_row(float a, const float* x, float* y, std::size_t count) {
  axpy(FloatTag(), a, x, y, count);
}

float dot_row(const float* a, const float* b, std::size_t count) {
  return dot(FloatTag(), a, b, count);
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(mix_row);
HWY_EXPORT(mix_backward_row);
HWY_EXPORT(axpy_row);
HWY_EXPORT(dot_row);

namespace {

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

void add_scaled(float a, const TensorView& x, const TensorView& y, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(axpy_row)(a, x.row(row), y.row(row), size(x.extent(1)));
}

float inner(const TensorView& a, const TensorView& b, std::int64_t row) {
  return HWY_DYNAMIC_DISPATCH(dot_row)(a.row(row), b.row(row), size(a.extent(1)));
}

// One head over tokens [begin, begin + count), with its slices of operands and gradients. The first head of
// those that share a source writes the source's gradient, the others add to it.
struct HeadChunk {
  std::int64_t head = 0;
  std::int64_t begin = 0;
  std::int64_t count = 0;
  TensorView b, c, d_b, d_c;
  bool adds_b = false;
  bool adds_c = false;
};

HeadChunk head_chunk(const SsdOperands& o, const SsdGradients& g, std::int64_t head, std::int64_t begin,
                     std::int64_t count) {
  return {head,
          begin,
          count,
          head_b(o, o.b, head).rows(begin, count),
          head_c(o, o.c, head).rows(begin, count),
          head_b(o, g.b, head).rows(begin, count),
          head_c(o, g.c, head).rows(begin, count),
          head % (o.nheads / o.b_heads) != 0,
          head % (o.nheads / o.c_heads) != 0};
}

// Scratch of one task, for chunks of up to `chunk` tokens.
struct Workspace {
  Workspace(float* memory, std::int64_t chunk) : memory_(memory), chunk_(chunk) {}
  static std::int64_t floats(std::int64_t chunk) { return 4 * chunk * chunk + 6 * chunk; }

  TensorView square(int index, std::int64_t count) const {
    return {memory_ + index * chunk_ * chunk_, Shape{count, count}};
  }
  float* vector(int index) const { return memory_ + 4 * chunk_ * chunk_ + index * chunk_; }

  TensorView decay(std::int64_t count) const { return square(0, count); }
  TensorView content(std::int64_t count) const { return square(1, count); }
  TensorView d_mixing(std::int64_t count) const { return square(2, count); }
  TensorView mixing(std::int64_t count) const { return square(3, count); }
  float* log_products() const { return vector(0); }
  float* from_start() const { return vector(1); }  // decay of what the chunk is given, up to each token
  float* step() const { return vector(2); }
  float* d_step() const { return vector(3); }
  float* flow() const { return vector(4); }     // what arrives at a token less what leaves it
  float* leaving() const { return vector(5); }  // towards later tokens, then towards later chunks

 private:
  float* memory_;
  std::int64_t chunk_;
};

// Decay and content of a chunk, its step sizes, and the decay from its start.
void prepare(const SsdOperands& o, const HeadChunk& at, const Workspace& work) {
  matmul_here(at.c, at.b, true, work.content(at.count));
  decay_matrix(o, at.head, at.begin, work.log_products(), work.decay(at.count));
  double elapsed = 0;
  for (std::int64_t l = 0; l < at.count; ++l) {
    elapsed += o.log_decay.row(at.begin + l)[at.head];
    work.from_start()[l] = static_cast<float>(std::exp(elapsed));
    work.step()[l] = step_size(o, at.begin + l, at.head);
  }
}

// From the gradient of the mixing matrix in d_mixing: d_b and d_c; d_step and flow are written.
void mixing_backward(const HeadChunk& at, const Workspace& work) {
  const std::int64_t count = at.count;
  const TensorView decay = work.decay(count);
  const TensorView content = work.content(count);
  const TensorView d_content = work.d_mixing(count);
  std::fill_n(work.d_step(), count, 0.0F);
  std::fill_n(work.leaving(), count, 0.0F);
  for (std::int64_t l = 0; l < count; ++l) {
    work.flow()[l] =
        HWY_DYNAMIC_DISPATCH(mix_backward_row)(decay.row(l), content.row(l), work.step(), d_content.row(l),
                                               work.d_step(), work.leaving(), size(l + 1));
    std::fill(d_content.row(l) + l + 1, d_content.row(l) + count, 0.0F);
  }
  for (std::int64_t l = 0; l < count; ++l) work.flow()[l] -= work.leaving()[l];
  matmul_here(d_content, at.b, false, at.d_c, 1.0F, at.adds_c);
  matmul_transposed_here(d_content, at.c, at.d_b, at.adds_b);
}

// d_log_decay[k] = sum of flow[l] over l >= k, plus what leaves the chunk from tokens before k, plus what
// passes through all of it.
void write_decay_gradient(const SsdGradients& g, const HeadChunk& at, const Workspace& work,
                          const float* leaving_chunk, double through) {
  double after = 0;
  for (std::int64_t k = at.count - 1; k >= 0; --k) {
    after += work.flow()[k];
    g.log_decay.row(at.begin + k)[at.head] = static_cast<float>(after + through);
  }
  double before = 0;
  for (std::int64_t k = 0; leaving_chunk != nullptr && k < at.count; ++k) {
    g.log_decay.row(at.begin + k)[at.head] += static_cast<float>(before);
    before += leaving_chunk[k];
  }
  if (g.dt.empty()) return;
  for (std::int64_t k = 0; k < at.count; ++k) g.dt.row(at.begin + k)[at.head] = work.d_step()[k];
}

// What only the scan has: inputs and outputs of the head, and the states at the chunk's ends.
struct ScanChunk {
  TensorView x, d_y, d_x;   // [count, P]
  TensorView state;         // [P, N] before the chunk
  TensorView d_state;       // [P, N] in: gradient of the state after it; out: of the state before it
  TensorView wide, narrow;  // scratch [count, P], [count, N]
  bool adds_x;
  float skip;
  float* d_skip;
};

// d_x and d_skip from the mixing matrix and the skip; leaves the matrix's gradient in d_mixing.
void output_backward(const HeadChunk& at, const ScanChunk& scan, const Workspace& work) {
  const TensorView mixing = work.mixing(at.count);
  for (std::int64_t l = 0; l < at.count; ++l) {
    HWY_DYNAMIC_DISPATCH(mix_row)
    (work.decay(at.count).row(l), work.content(at.count).row(l), work.step(), mixing.row(l), size(l + 1));
    std::fill(mixing.row(l) + l + 1, mixing.row(l) + at.count, 0.0F);
  }
  matmul_here(scan.d_y, scan.x, true, work.d_mixing(at.count));
  matmul_transposed_here(mixing, scan.d_y, scan.d_x, scan.adds_x);
  for (std::int64_t l = 0; l < at.count; ++l) {
    add_scaled(scan.skip, scan.d_y, scan.d_x, l);
    *scan.d_skip += inner(scan.d_y, scan.x, l);
  }
}

// Gradients through the state after the chunk, sum over m of to_end[m] dt[m] x_m B_m^T; `leaving` becomes
// what flows from each token to later chunks.
void state_after_backward(const HeadChunk& at, const ScanChunk& scan, const Workspace& work) {
  const float* to_end = work.decay(at.count).row(at.count - 1);
  matmul_here(at.b, scan.d_state, true, scan.wide);
  matmul_here(scan.x, scan.d_state, false, scan.narrow);
  for (std::int64_t m = 0; m < at.count; ++m) {
    const float weight = to_end[m] * work.step()[m];
    const float agreement = inner(scan.x, scan.wide, m);
    add_scaled(weight, scan.wide, scan.d_x, m);
    add_scaled(weight, scan.narrow, at.d_b, m);
    work.d_step()[m] += to_end[m] * agreement;
    work.leaving()[m] = weight * agreement;
  }
}

// Gradients through the state before the chunk, which each token sees as from_start[l] S C_l and the state
// after the chunk as from_start[last] S. Returns the flow that passes through the whole chunk.
double state_before_backward(const HeadChunk& at, const ScanChunk& scan, const Workspace& work) {
  const float whole = work.from_start()[at.count - 1];
  double through = 0;
  for (std::int64_t p = 0; p < scan.state.extent(0); ++p) through += inner(scan.state, scan.d_state, p);
  matmul_here(scan.d_y, scan.state, false, scan.narrow);
  for (std::int64_t l = 0; l < at.count; ++l) {
    const float weight = work.from_start()[l];
    work.flow()[l] += weight * inner(at.c, scan.narrow, l);
    add_scaled(weight, scan.narrow, at.d_c, l);
    for (std::int64_t p = 0; p < scan.wide.extent(1); ++p) scan.wide.row(l)[p] = weight * scan.d_y.row(l)[p];
  }
  for (std::int64_t i = 0; i < scan.d_state.elements(); ++i) scan.d_state.f32()[i] *= whole;
  matmul_transposed_here(scan.wide, at.c, scan.d_state, true);
  return whole * through;
}

// next [P, N] = state after the chunk that begins with `state`.
void advance_state(const HeadChunk& at, const ScanChunk& scan, const Workspace& work,
                   const TensorView& next) {
  const float* to_end = work.decay(at.count).row(at.count - 1);
  for (std::int64_t i = 0; i < next.elements(); ++i)
    next.f32()[i] = work.from_start()[at.count - 1] * scan.state.f32()[i];
  for (std::int64_t m = 0; m < at.count; ++m) {
    const float weight = to_end[m] * work.step()[m];
    for (std::int64_t p = 0; p < scan.wide.extent(1); ++p) scan.wide.row(m)[p] = weight * scan.x.row(m)[p];
  }
  matmul_transposed_here(scan.wide, at.b, next, true);
}

// Heads that share a source of x, b or c are neighbours and belong to one task, which needs no locks.
std::int64_t independent_groups(const SsdOperands& o) {
  return std::gcd(o.x_heads, std::gcd(o.b_heads, o.c_heads));
}

// The scan of one head: forwards for the states between chunks, then backwards. memory: Workspace, then the
// scratch of ScanChunk, then the states.
class HeadScan {
 public:
  HeadScan(const SsdOperands& o, const SsdGradients& g, std::int64_t chunk, float* memory)
      : o_(o), g_(g), chunk_(chunk), work_(memory, chunk), scratch_(memory + Workspace::floats(chunk)) {}

  static std::int64_t floats(const SsdOperands& o, std::int64_t chunk) {
    const std::int64_t chunks = (o.x.extent(0) + chunk - 1) / chunk;
    return Workspace::floats(chunk) + chunk * (o.headdim + o.dstate) + (chunks + 1) * o.headdim * o.dstate;
  }

  void run(std::int64_t head, const TensorView& initial_state, const TensorView& d_y,
           const TensorView& d_state) {
    const std::int64_t rows = o_.x.extent(0);
    const std::int64_t head_state = o_.headdim * o_.dstate;
    const TensorView gradient = state(0);  // of the state between two chunks
    const auto load = [&](const TensorView& from, const TensorView& to) {
      if (from.empty())
        std::fill_n(to.f32(), head_state, 0.0F);
      else
        std::copy_n(from.row(head), head_state, to.f32());
    };
    load(initial_state, state(1));
    load(d_state, gradient);
    const std::int64_t chunks = (rows + chunk_ - 1) / chunk_;
    for (std::int64_t i = 0; i + 1 < chunks; ++i) {
      const HeadChunk at = head_chunk(o_, g_, head, i * chunk_, chunk_);
      prepare(o_, at, work_);
      advance_state(at, scan_chunk(at, i, d_y), work_, state(i + 2));
    }
    for (std::int64_t i = chunks - 1; i >= 0; --i) {
      const HeadChunk at = head_chunk(o_, g_, head, i * chunk_, std::min(chunk_, rows - i * chunk_));
      const ScanChunk scan = scan_chunk(at, i, d_y);
      prepare(o_, at, work_);
      output_backward(at, scan, work_);
      mixing_backward(at, work_);
      state_after_backward(at, scan, work_);
      const double through = state_before_backward(at, scan, work_);
      write_decay_gradient(g_, at, work_, work_.leaving(), through);
    }
    if (!d_state.empty()) std::copy_n(gradient.f32(), head_state, d_state.row(head));
  }

 private:
  TensorView state(std::int64_t index) const {
    return {scratch_ + chunk_ * (o_.headdim + o_.dstate) + index * o_.headdim * o_.dstate,
            Shape{o_.headdim, o_.dstate}};
  }
  ScanChunk scan_chunk(const HeadChunk& at, std::int64_t index, const TensorView& d_y) const {
    return {head_x(o_, o_.x, at.head).rows(at.begin, at.count),
            d_y.columns(at.head * o_.headdim, o_.headdim).rows(at.begin, at.count),
            head_x(o_, g_.x, at.head).rows(at.begin, at.count),
            state(index + 1),
            state(0),
            TensorView(scratch_, Shape{at.count, o_.headdim}),
            TensorView(scratch_ + chunk_ * o_.headdim, Shape{at.count, o_.dstate}),
            at.head % (o_.nheads / o_.x_heads) != 0,
            o_.skip.f32()[at.head],
            g_.skip.f32() + at.head};
  }

  const SsdOperands& o_;
  const SsdGradients& g_;
  std::int64_t chunk_;
  Workspace work_;
  float* scratch_;
};

void check_gradients(const SsdOperands& o, const SsdGradients& g, const char* op) {
  TANDEM_CHECK((g.x.empty() || g.x.shape() == o.x.shape()) && g.b.shape() == o.b.shape() &&
                   g.c.shape() == o.c.shape() && g.log_decay.shape() == o.log_decay.shape() &&
                   (g.dt.empty() || g.dt.shape() == o.log_decay.shape()) && g.skip.shape() == o.skip.shape(),
               std::string(op) + ": gradients x " + g.x.shape().str() + ", b " + g.b.shape().str() + ", c " +
                   g.c.shape().str() + ", log_decay " + g.log_decay.shape().str() + ", dt " +
                   g.dt.shape().str() + ", skip " + g.skip.shape().str());
}

}  // namespace

void ssd_scan_backward(Context& context, const SsdOperands& o, TensorView initial_state, std::int64_t chunk,
                       TensorView d_y, TensorView d_state, const SsdGradients& gradients) {
  check_ssd_operands(o, "ssd_scan_backward");
  check_gradients(o, gradients, "ssd_scan_backward");
  const std::int64_t rows = o.x.extent(0);
  const Shape state_shape = {o.nheads, o.headdim, o.dstate};
  const auto is_state = [&](const TensorView& s) {
    return s.empty() || (s.shape() == state_shape && s.contiguous());
  };
  TANDEM_CHECK(chunk > 0 && !gradients.x.empty() && is_state(initial_state) && is_state(d_state) &&
                   d_y.shape() == Shape({rows, o.nheads * o.headdim}),
               "ssd_scan_backward: chunk " + std::to_string(chunk) + ", initial_state " +
                   initial_state.shape().str() + ", d_y " + d_y.shape().str() + ", d_state " +
                   d_state.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->ssd_scan_backward(o, initial_state, chunk, d_y, d_state, gradients);
  if (rows == 0) return;
  chunk = std::min(chunk, rows);
  const std::int64_t groups = independent_groups(o);
  const std::int64_t heads = o.nheads / groups;
  const ScratchScope scope(context);
  const std::int64_t floats = HeadScan::floats(o, chunk);
  float* memory = context.scratch(groups * floats);
  const double group_ns =
      static_cast<double>(rows * heads * (chunk + o.dstate) * (o.headdim + o.dstate)) / 10.0;
  parallel_over(context, groups, group_ns, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t group = first; group < last; ++group) {
      HeadScan scan(o, gradients, chunk, memory + group * floats);
      for (std::int64_t h = group * heads; h < (group + 1) * heads; ++h)
        scan.run(h, initial_state, d_y, d_state);
    }
  });
}

void ssd_matrix_backward(Context& context, const SsdOperands& o, TensorView d_m,
                         const SsdGradients& gradients) {
  check_ssd_operands(o, "ssd_matrix_backward");
  check_gradients(o, gradients, "ssd_matrix_backward");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK((d_m.shape() == Shape{o.nheads, rows, rows}), "ssd_matrix_backward: d_m " + d_m.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->ssd_matrix_backward(o, d_m, gradients);
  if (rows == 0) return;
  const std::int64_t groups = independent_groups(o);
  const std::int64_t heads = o.nheads / groups;
  const ScratchScope scope(context);
  const std::int64_t floats = Workspace::floats(rows);
  float* memory = context.scratch(groups * floats);
  const double group_ns = static_cast<double>(heads * rows * rows * (o.dstate + 4)) / 10.0;
  parallel_over(context, groups, group_ns, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t h = first * heads; h < last * heads; ++h) {
      const Workspace work(memory + h / heads * floats, rows);
      const HeadChunk at = head_chunk(o, gradients, h, 0, rows);
      prepare(o, at, work);
      for (std::int64_t t = 0; t < rows; ++t) {
        const float* row = d_m.row(h) + t * rows;
        std::copy_n(row, t + 1, work.d_mixing(rows).row(t));
        gradients.skip.f32()[h] += row[t];
      }
      mixing_backward(at, work);
      write_decay_gradient(gradients, at, work, nullptr, 0);
    }
  });
}

}  // namespace tandem
#endif

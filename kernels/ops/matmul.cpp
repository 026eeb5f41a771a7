// oneDNN runs each product on the thread that calls it: our pool shares the work, OpenMP never does.
#include "kernels/ops/matmul.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/base/parallel.h"
#include "kernels/ops/block_linear.h"
#include "kernels/ops/narrow.h"

namespace tandem {
namespace {

using dnnl::memory;

constexpr std::int64_t kPanelBytes = 512 * 1024;  // of f32 weights: half an L2 cache
constexpr std::int64_t kPanelStep = 64;           // columns of the widest block oneDNN packs
constexpr std::int64_t kRowBlock = 128;
constexpr std::int64_t kRowStep = 8;
constexpr std::int64_t kTransposedStep = 32;  // columns of a matrix that is multiplied as its transpose
constexpr std::int64_t kPlanRows = 64;        // the packed layout is the one chosen for this many rows
constexpr double kFlopsPerNs = 150;
constexpr double kBytesPerNs = 20;

// Rounds a count up to a multiple.
constexpr std::int64_t round_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// Whatever reaches oneDNN goes through here first: it compiles for, chooses layouts for and runs on as many
// OpenMP threads as the calling thread is set to.
dnnl::stream& this_threads_stream() {
  thread_local dnnl::stream stream = [] {
    omp_set_num_threads(1);  // of this thread only
    return dnnl::stream(engine());
  }();
  return stream;
}

memory::data_type dnnl_type(DType dtype) {
  return dtype == DType::BF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

struct ProductShape {
  std::int64_t rows = 0;
  std::int64_t in = 0;
  std::int64_t out = 0;
  DType dtype = DType::F32;
  bool accumulate = false;
  std::int64_t transposed_stride = 0;  // of x given as its transpose [in, rows]; 0: as itself, dense
  auto operator<=>(const ProductShape&) const = default;
};

// y dense, and x as well unless transposed: with rows further apart oneDNN falls back to its slow reference
// loops.
dnnl::matmul::primitive_desc plan(const ProductShape& shape, const memory::desc& weight) {
  this_threads_stream();  // one OpenMP thread
  const memory::dims strides =
      shape.transposed_stride > 0 ? memory::dims{1, shape.transposed_stride} : memory::dims{shape.in, 1};
  const memory::desc x({shape.rows, shape.in}, dnnl_type(shape.dtype), strides);
  const memory::desc y({shape.rows, shape.out}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // the library's own is not thread-safe
  if (shape.accumulate) {
    dnnl::post_ops add;
    add.append_sum(1.0F);
    attributes.set_post_ops(add);
  }
  return {dnnl::matmul::desc(x, weight, y), attributes, engine()};
}

// A compiled product of one shape, with the handles and scratch memory it runs with; confined to a thread.
class Product {
 public:
  explicit Product(const dnnl::matmul::primitive_desc& description)
      : primitive_(description),
        x_(description.src_desc(), engine(), nullptr),
        y_(description.dst_desc(), engine(), nullptr),
        scratchpad_(description.scratchpad_desc(), engine()) {}

  void run(const void* x, const memory& weight, float* y) {
    x_.set_data_handle(const_cast<void*>(x));
    y_.set_data_handle(y);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, x_.get()},
                                         {DNNL_ARG_WEIGHTS, weight.get()},
                                         {DNNL_ARG_DST, y_.get()},
                                         {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}};
    const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), this_threads_stream().get(),
                                                        std::size(arguments), arguments);
    TANDEM_CHECK(status == dnnl_success, "dnnl_primitive_execute: status " + std::to_string(status));
  }

 private:
  dnnl::matmul primitive_;
  memory x_, y_, scratchpad_;
};

// This thread's products, never dropped: a program meets few shapes. The machine code behind them is shared,
// by oneDNN's own cache.
Product& product(const ProductShape& shape, const memory& weight) {
  thread_local std::map<ProductShape, Product> products;
  auto found = products.find(shape);
  if (found == products.end()) found = products.try_emplace(shape, plan(shape, weight.get_desc())).first;
  return found->second;
}

// Columns [begin, begin + width) of W^T.
struct Panel {
  std::int64_t begin = 0;
  std::int64_t width = 0;
  memory packed;
};

std::int64_t panel_width(std::int64_t out, std::int64_t in) {
  const std::int64_t fitting = kPanelBytes / (4 * in) / kPanelStep * kPanelStep;
  return std::min(out, std::max(fitting, kPanelStep));
}

// `weight` are the panel's rows of W; or, transposed, all of a W [in, width].
Panel pack_panel(const TensorView& weight, bool transposed, std::int64_t begin, DType type) {
  const std::int64_t in = weight.extent(transposed ? 0 : 1);
  const std::int64_t width = weight.extent(transposed ? 1 : 0);
  const memory::desc any({in, width}, dnnl_type(type), memory::format_tag::any);
  const memory::desc packed = plan({kPlanRows, in, width, type}, any).weights_desc();
  const memory::desc plain({in, width}, dnnl_type(weight.dtype()),
                           transposed ? memory::dims{width, 1} : memory::dims{1, in});
  Panel panel{begin, width, memory(packed, engine())};
  memory from(plain, engine(), weight.data());
  dnnl::stream& stream = this_threads_stream();
  dnnl::reorder(from, panel.packed).execute(stream, from, panel.packed);
  stream.wait();
  return panel;
}

void check_matmul(const TensorView& a, const TensorView& b, bool transpose_b, const TensorView& c) {
  TANDEM_CHECK(a.rank() == 2 && b.rank() == 2 && c.rank() == 2 && a.extent(0) == c.extent(0) &&
                   b.extent(transpose_b ? 1 : 0) == a.extent(1) &&
                   b.extent(transpose_b ? 0 : 1) == c.extent(1),
               "matmul: a " + a.shape().str() + ", b " + b.shape().str() + (transpose_b ? "^T" : "") +
                   ", c " + c.shape().str());
}

// Time of one product on one thread, by arithmetic or by the weight's bytes.
double product_ns(std::int64_t rows, std::int64_t in, std::int64_t out, std::int64_t weight_bytes) {
  return std::max(2.0 * static_cast<double>(rows * in * out) / kFlopsPerNs,
                  static_cast<double>(weight_bytes) / kBytesPerNs);
}

void zero(const TensorView& c) {
  for (std::int64_t i = 0; i < c.extent(0); ++i) std::fill_n(c.row(i), c.extent(1), 0.0F);
}

}  // namespace

struct PackedMatrix::State {
  std::int64_t out = 0;
  std::int64_t in = 0;
  DType dtype = DType::F32;
  std::vector<BlockRows> kept;  // as a file stores them; then the panels are packed when first needed
  mutable std::once_flag packed;
  mutable std::vector<Panel> panels;  // equally wide but for the last
  Memory on_device;                   // instead of all that: W [out, in] as it is
  TensorView device_weight;           // that, or somebody else's

  const std::vector<Panel>& packed_panels(Context& context) const;
  /// Memory for W on the context's device.
  void place(Context& context, DType type);
};

PackedMatrix::PackedMatrix() : state_(std::make_unique<State>()) {}
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

PackedMatrix PackedMatrix::empty(const TensorView& weight, bool transposed, DType type) {
  TANDEM_CHECK(weight.rank() == 2 && weight.contiguous() &&
                   (weight.dtype() == DType::F32 || weight.dtype() == DType::BF16),
               std::string("pack: a contiguous F32 or BF16 matrix, not ") + dtype_name(weight.dtype()) + " " +
                   weight.shape().str());
  PackedMatrix result;
  State& state = *result.state_;
  state.out = weight.extent(transposed ? 1 : 0);
  state.in = weight.extent(transposed ? 0 : 1);
  state.dtype = product_type(type);
  return result;
}

namespace {

// Packs a W [out, in] panel by panel; rows(first, count) are those of W.
template <typename Rows>
std::vector<Panel> pack_panels(Context& context, std::int64_t out, std::int64_t in, DType type,
                               const Rows& rows) {
  const std::int64_t width = panel_width(out, in);
  std::vector<Panel> panels(static_cast<std::size_t>((out + width - 1) / width));
  parallel_over(context, static_cast<std::int64_t>(panels.size()), static_cast<double>(width * in),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i)
                    panels[static_cast<std::size_t>(i)] =
                        pack_panel(rows(i * width, std::min(width, out - i * width)), false, i * width, type);
                });
  return panels;
}

// The rows of a matrix on the host to one on a device, in its type.
void put_rows(DeviceQueue& queue, const TensorView& from, const TensorView& to) {
  if (from.dtype() == to.dtype())
    return queue.copy_in(to.data(), from.data(), from.elements() * element_bytes(from.dtype()));
  constexpr std::int64_t kPiece = 1 << 20;  // elements converted at a time
  std::vector<float> piece(static_cast<std::size_t>(std::min(kPiece, from.elements())));
  const std::int64_t size = element_bytes(to.dtype());
  for (std::int64_t first = 0; first < from.elements(); first += kPiece) {
    const std::int64_t count = std::min(kPiece, from.elements() - first);
    if (to.dtype() == DType::BF16) {
      narrow(from.f32() + first, reinterpret_cast<BFloat16*>(piece.data()), count);
    } else {
      const auto* stored = static_cast<const BFloat16*>(from.data()) + first;
      std::transform(stored, stored + count, piece.data(), to_float);
    }
    queue.copy_in(static_cast<char*>(to.data()) + first * size, piece.data(), count * size);
  }
}

// Rows [first, first + count) of all parts together.
void dequantize_rows(const std::vector<BlockRows>& parts, std::int64_t first, std::int64_t count,
                     float* values) {
  for (const BlockRows& part : parts) {
    for (; first < part.rows && count > 0; ++first, --count, values += part.columns)
      dequantize(part.format, part.row(first), part.columns, values);
    first -= part.rows;
  }
}

}  // namespace

void PackedMatrix::State::place(Context& context, DType type) {
  dtype = product_type(type, context.device());
  on_device = Memory(context.device(), out * in * element_bytes(dtype));
  device_weight = TensorView(on_device.get(), dtype, {out, in});
}

PackedMatrix PackedMatrix::pack(Context& context, TensorView weight, DType type) {
  PackedMatrix result = empty(weight, false, type);
  State& state = *result.state_;
  if (context.device() != nullptr) {
    state.place(context, type);
    put_rows(*context.queue(), weight, state.device_weight);
    return result;
  }
  if (weight.elements() > 0)
    state.panels =
        pack_panels(context, state.out, state.in, state.dtype,
                    [&](std::int64_t first, std::int64_t count) { return weight.rows(first, count); });
  return result;
}

PackedMatrix PackedMatrix::keep(Context& context, std::vector<BlockRows> parts, DType type) {
  TANDEM_CHECK(!parts.empty(), "keep: no parts");
  PackedMatrix result;
  State& state = *result.state_;
  state.in = parts.front().columns;
  for (const BlockRows& part : parts) {
    TANDEM_CHECK(is_quantized(part.format) && part.columns == state.in, "keep: parts of unequal width");
    state.out += part.rows;
  }
  if (context.device() != nullptr) {
    state.place(context, type);
    std::vector<float> values;
    for (std::int64_t first = 0; first < state.out; first += kRowBlock) {
      const std::int64_t count = std::min(kRowBlock, state.out - first);
      values.resize(static_cast<std::size_t>(count * state.in));
      dequantize_rows(parts, first, count, values.data());
      put_rows(*context.queue(), TensorView(values.data(), {count, state.in}),
               state.device_weight.rows(first, count));
    }
    return result;
  }
  state.dtype = product_type(type);
  state.kept = std::move(parts);
  return result;
}

PackedMatrix PackedMatrix::borrow(TensorView weight) {
  PackedMatrix result;
  State& state = *result.state_;
  state.out = weight.extent(0);
  state.in = weight.extent(1);
  state.dtype = weight.dtype();
  state.device_weight = weight;
  return result;
}

const std::vector<Panel>& PackedMatrix::State::packed_panels(Context& context) const {
  if (!kept.empty())
    std::call_once(packed, [&] {
      panels = pack_panels(context, out, in, dtype, [&](std::int64_t first, std::int64_t count) {
        thread_local std::vector<float> values;  // of the panel being packed
        values.resize(static_cast<std::size_t>(count * in));
        dequantize_rows(kept, first, count, values.data());
        return TensorView(values.data(), {count, in});
      });
    });
  return panels;
}

PackedMatrix PackedMatrix::pack_whole(TensorView weight, bool transposed, DType type) {
  PackedMatrix result = empty(weight, transposed, type);
  if (weight.elements() > 0)
    result.state_->panels.push_back(pack_panel(weight, transposed, 0, result.state_->dtype));
  return result;
}

std::int64_t PackedMatrix::out() const {
  return state_->out;
}
std::int64_t PackedMatrix::in() const {
  return state_->in;
}
DType PackedMatrix::dtype() const {
  return state_->dtype;
}
std::int64_t PackedMatrix::bytes() const {
  if (!state_->kept.empty() || state_->device_weight.data() != nullptr)
    return state_->out * state_->in * element_bytes(state_->dtype);
  std::int64_t total = 0;
  for (const Panel& panel : state_->panels) {
    total += static_cast<std::int64_t>(panel.packed.get_desc().get_size());
  }
  return total;
}
std::int64_t PackedMatrix::single_bytes() const {
  if (state_->kept.empty()) return bytes();
  std::int64_t total = 0;
  for (const BlockRows& part : state_->kept) total += part.rows * part.row_bytes();
  return total;
}

bool bf16_products_supported() {
  constexpr auto kNative = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  static const bool supported = (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & kNative) == kNative;
  return supported;
}

DType product_type(DType wanted, const Device* device) {
  return wanted == DType::BF16 && (device != nullptr || bf16_products_supported()) ? DType::BF16 : DType::F32;
}

namespace {

// x as the products read it: dense and of the weight's type; itself, or a copy in scratch memory.
const char* dense_input(Context& context, const TensorView& x, DType dtype) {
  const std::int64_t in = x.extent(1);
  const bool dense = x.extent(0) == 1 || x.stride(0) == in;
  if (dtype == x.dtype() && dense) return static_cast<const char*>(x.data());
  float* copy = context.scratch(x.elements());
  if (dtype == DType::BF16) {
    narrow(context, x, TensorView(copy, DType::BF16, x.shape()));
  } else {
    parallel_over(context, x.extent(0), 0.1 * static_cast<double>(in),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) std::copy_n(x.row(i), in, copy + i * in);
                  });
  }
  return reinterpret_cast<const char*>(copy);
}

// Rows of x that one chunk takes: all of a small batch, unless too few panels would leave threads idle.
std::int64_t row_block(std::int64_t rows, std::int64_t panels, int threads) {
  const std::int64_t shares = threads == 1 ? 1 : (2 * threads + panels - 1) / panels;
  return std::min({rows, kRowBlock, round_up((rows + shares - 1) / shares, kRowStep)});
}

// y = or += x W^T for dense rows and one panel: a multiple of eight rows, then the rest, so that a batch that
// shrinks row by row needs few shapes.
void multiply(const char* x, const Panel& panel, ProductShape shape, float* y) {
  std::int64_t left = shape.rows;
  while (left > 0) {
    shape.rows = left >= kRowStep ? left / kRowStep * kRowStep : left;
    product(shape, panel.packed).run(x, panel.packed, y);
    x += shape.rows * shape.in * element_bytes(shape.dtype);
    y += shape.rows * shape.out;
    left -= shape.rows;
  }
}

// y = or += product, row by row
void put(const float* product, std::int64_t width, bool accumulate, TensorView y) {
  for (std::int64_t i = 0; i < y.extent(0); ++i, product += width) {
    float* row = y.row(i);
    if (accumulate) {
      std::transform(product, product + width, row, row, std::plus<>());
    } else {
      std::copy_n(product, width, row);
    }
  }
}

}  // namespace

void linear(Context& context, TensorView x, const PackedMatrix& weight, TensorView y, bool accumulate) {
  const PackedMatrix::State& w = weight.state();
  TANDEM_CHECK(
      x.rank() == 2 && y.rank() == 2 && x.extent(0) == y.extent(0) && x.extent(1) == w.in &&
          y.extent(1) == w.out,
      "linear: x " + x.shape().str() + ", weight " + Shape({w.out, w.in}).str() + ", y " + y.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->linear(x, w.device_weight, y, accumulate);
  const std::int64_t rows = x.extent(0);
  if (rows == 0 || w.out == 0) return;
  if (w.in == 0) {
    if (!accumulate) zero(y);
    return;
  }
  if (rows == 1 && !w.kept.empty()) return block_linear(context, x, w.kept, y, accumulate);
  const std::vector<Panel>& packed = w.packed_panels(context);
  const ScratchScope scope(context);
  const char* input = dense_input(context, x, w.dtype);
  const auto panels = static_cast<std::int64_t>(packed.size());
  const std::int64_t block = row_block(rows, panels, context.threads());
  const std::int64_t blocks = (rows + block - 1) / block;
  // One panel and dense rows: straight into y. Else each product is made aside and put in place.
  const bool direct = rows == 1 || (panels == 1 && y.stride(0) == w.out);

  const std::int64_t aside = direct ? 0 : block * packed.front().width;
  float* scratch = context.scratch(aside * panels * blocks);
  const double total_ns = product_ns(rows, w.in, w.out, w.in * w.out * element_bytes(w.dtype));
  parallel_over(context, panels * blocks, total_ns / static_cast<double>(panels * blocks),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    const Panel& panel = packed[static_cast<std::size_t>(i / blocks)];
                    const std::int64_t first = i % blocks * block;
                    const TensorView out =
                        y.columns(panel.begin, panel.width).rows(first, std::min(block, rows - first));
                    float* to = direct ? out.f32() : scratch + i * aside;
                    multiply(input + first * w.in * element_bytes(w.dtype), panel,
                             {out.extent(0), w.in, panel.width, w.dtype, direct && accumulate}, to);
                    if (!direct) put(to, panel.width, accumulate, out);
                  }
                });
}

namespace {

// c = or += a^T b in bf16; b as it lies.
void multiply_transposed(const TensorView& a, const TensorView& b, const TensorView& c, bool accumulate) {
  TANDEM_CHECK(bf16_products_supported() && b.contiguous() && c.contiguous(),
               "matmul_transposed: bf16 with strided b " + b.shape().str() + " or c " + c.shape().str());
  const memory::desc plain({b.extent(0), b.extent(1)}, memory::data_type::bf16, memory::format_tag::ab);
  const memory weight(plain, engine(), b.data());
  product({c.extent(0), a.extent(0), c.extent(1), DType::BF16, accumulate, a.stride(0)}, weight)
      .run(a.data(), weight, c.f32());
}

}  // namespace

void matmul_here(TensorView a, TensorView b, bool transpose_b, TensorView c, float alpha, bool accumulate) {
  check_matmul(a, b, transpose_b, c);
  if (c.elements() == 0) return;
  if (a.extent(1) == 0) {
    if (!accumulate) zero(c);
    return;
  }
  this_threads_stream();  // one OpenMP thread
  const dnnl_status_t status =
      dnnl_sgemm('N', transpose_b ? 'T' : 'N', c.extent(0), c.extent(1), a.extent(1), alpha, a.f32(),
                 a.stride(0), b.f32(), b.stride(0), accumulate ? 1.0F : 0.0F, c.f32(), c.stride(0));
  TANDEM_CHECK(status == dnnl_success, "dnnl_sgemm: status " + std::to_string(status));
}

void matmul(Context& context, TensorView a, TensorView b, bool transpose_b, TensorView c, float alpha,
            bool accumulate) {
  check_matmul(a, b, transpose_b, c);
  if (DeviceQueue* queue = context.queue()) {
    TANDEM_CHECK(transpose_b && alpha == 1.0F, "matmul: a device has products with b transposed alone");
    return queue->linear(a, b, c, accumulate);
  }
  const std::int64_t rows = c.extent(0);
  const double total_ns = product_ns(rows, a.extent(1), c.extent(1), 4 * b.elements());
  const std::int64_t block = std::max<std::int64_t>(1, row_block(rows, 1, context.threads()));
  const std::int64_t blocks = (rows + block - 1) / block;
  parallel_over(context, blocks, total_ns / static_cast<double>(std::max<std::int64_t>(blocks, 1)),
                [&](std::int64_t begin, std::int64_t end) {
                  const std::int64_t first = begin * block;
                  const std::int64_t count = std::min(end * block, rows) - first;
                  matmul_here(a.rows(first, count), b, transpose_b, c.rows(first, count), alpha, accumulate);
                });
}

void matmul_transposed_here(TensorView a, TensorView b, TensorView c, bool accumulate) {
  TANDEM_CHECK(
      a.rank() == 2 && b.rank() == 2 && a.extent(0) == b.extent(0) && a.dtype() == b.dtype() &&
          (c.shape() == Shape{a.extent(1), b.extent(1)}),
      "matmul_transposed: a " + a.shape().str() + "^T, b " + b.shape().str() + ", c " + c.shape().str());
  if (c.elements() == 0) return;
  if (a.extent(0) == 0) {
    if (!accumulate) zero(c);
    return;
  }
  if (a.dtype() == DType::BF16) {
    multiply_transposed(a, b, c, accumulate);
    return;
  }
  this_threads_stream();  // one OpenMP thread
  const dnnl_status_t status =
      dnnl_sgemm('T', 'N', c.extent(0), c.extent(1), a.extent(0), 1.0F, a.f32(), a.stride(0), b.f32(),
                 b.stride(0), accumulate ? 1.0F : 0.0F, c.f32(), c.stride(0));
  TANDEM_CHECK(status == dnnl_success, "dnnl_sgemm: status " + std::to_string(status));
}

void matmul_transposed(Context& context, TensorView a, TensorView b, TensorView c, bool accumulate) {
  const std::int64_t rows = c.extent(0);
  const double total_ns = product_ns(rows, a.extent(0), c.extent(1), 4 * b.elements());
  // One block per thread: each reads all of b.
  const std::int64_t share = (rows + context.threads() - 1) / context.threads();
  const std::int64_t block = std::max<std::int64_t>(1, round_up(share, kTransposedStep));
  const std::int64_t blocks = (rows + block - 1) / block;
  parallel_over(context, blocks, total_ns / static_cast<double>(std::max<std::int64_t>(blocks, 1)),
                [&](std::int64_t begin, std::int64_t end) {
                  const std::int64_t first = begin * block;
                  const std::int64_t count = std::min(end * block, rows) - first;
                  matmul_transposed_here(a.columns(first, count), b, c.rows(first, count), accumulate);
                });
}

}  // namespace tandem

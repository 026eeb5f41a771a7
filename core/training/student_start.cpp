#include "core/training/student_start.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "core/checkpoint/checkpoint.h"
#include "core/training/trainable_ssm.h"

namespace tandem::training {
namespace {

constexpr float kOpenGate = 1.278F;  // silu of it is 1
constexpr float kDecayLogit = 3.0F;  // sigmoid of it is 0.953
constexpr double kNoise = 0.1;       // of convolution taps
constexpr double kFreshDeviation = 0.02;

/// Mean of every layer's normed input over some tokens.
class MeanInput final : public Model::LayerObserver {
 public:
  explicit MeanInput(Context& context) : context_(context) {}
  void on_layer(std::int64_t /*layer*/, const Mixer& /*mixer*/, TensorView /*input*/, TensorView normed,
                TensorView /*output*/) override {
    const HostTensors host(context_, {{"normed", normed}});
    const TensorView rows = host.all().front().view;
    std::vector<double> sums(static_cast<std::size_t>(rows.extent(1)));
    for (std::int64_t i = 0; i < rows.extent(0); ++i)
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += static_cast<double>(rows.row(i)[c]);
    for (double& sum : sums) sum /= static_cast<double>(normed.extent(0));
    means.push_back(std::move(sums));
  }
  std::vector<std::vector<double>> means;

 private:
  Context& context_;
};

/// The teacher's name for what a student calls `name` (models.md 1.2, 2.2).
std::string teacher_name(std::string name) {
  const std::pair<const char*, const char*> renamed[] = {
      {"backbone.embedding.weight", "model.embed_tokens.weight"},
      {"backbone.final_layernorm.weight", "model.norm.weight"},
      {"backbone.layers.", "model.layers."}};
  for (const auto& [from, to] : renamed)
    if (name.starts_with(from)) return name.replace(0, std::string_view(from).size(), to);
  return name;
}

/// One layer's attention weights in the teacher.
struct Attention {
  Tensor q, k, v, o;  // [H*D, C], [K*D, C], [K*D, C], [C, H*D]
  std::int64_t heads = 0, heads_kv = 0, headdim = 0;
};

Result<Attention> read_attention(const Checkpoint& checkpoint, const ModelConfig& config,
                                 std::int64_t layer) {
  const std::string prefix = fmt::format("model.layers.{}.self_attn.", layer);
  const std::vector<std::int64_t> wide = {config.nheads * config.headdim, config.d_model};
  const std::vector<std::int64_t> narrow = {config.nheads_kv * config.headdim, config.d_model};
  const std::vector<std::int64_t> out = {config.d_model, config.nheads * config.headdim};
  Attention a;
  TANDEM_TRY(a.q, checkpoint.read(prefix + "q_proj.weight", wide));
  TANDEM_TRY(a.k, checkpoint.read(prefix + "k_proj.weight", narrow));
  TANDEM_TRY(a.v, checkpoint.read(prefix + "v_proj.weight", narrow));
  TANDEM_TRY(a.o, checkpoint.read(prefix + "o_proj.weight", out));
  a.heads = config.nheads;
  a.heads_kv = config.nheads_kv;
  a.headdim = config.headdim;
  return a;
}

/// Channels of a head that a state of `dstate` takes: rotary pairs (m, m + D/2) from the slowest on.
std::vector<std::int64_t> state_channels(std::int64_t headdim, std::int64_t dstate) {
  std::vector<std::int64_t> channels;
  for (std::int64_t m = headdim / 2 - 1; m >= 0; --m)
    for (const std::int64_t channel : {m, m + headdim / 2})
      if (static_cast<std::int64_t>(channels.size()) < dstate) channels.push_back(channel);
  return channels;
}

/// Row `to` of `target` = factor * row `from` of `source`.
void copy_row(const Tensor& source, std::int64_t from, const TensorView& target, std::int64_t to,
              float factor = 1.0F) {
  for (std::int64_t c = 0; c < target.extent(1); ++c) target.row(to)[c] = factor * source.view().row(from)[c];
}

void fill(const Tensor& tensor, float value) {
  std::fill_n(tensor.f32(), tensor.elements(), value);
}

/// Last tap 1, the others 0, plus noise.
void start_convolution(TrainableSsm& mixer, double noise, RandomStream& random) {
  const TensorView taps = mixer.conv_weight.matrix();
  for (std::int64_t c = 0; c < taps.extent(0); ++c)
    for (std::int64_t k = 0; k < taps.extent(1); ++k)
      taps.row(c)[k] = (k + 1 == taps.extent(1) ? 1.0F : 0.0F) + static_cast<float>(noise * random.normal());
}

/// x, B and C from V, K and Q, heads repeated or shared as the layout says; out from O.
void start_projections(const Attention& a, TrainableSsm& mixer, float c_scale) {
  const SsmMixer::Layout& layout = mixer.layout();
  const TensorView rows = mixer.in_proj.matrix();
  const auto kv_head = [&](std::int64_t head, std::int64_t heads) { return head * a.heads_kv / heads; };
  std::int64_t row = layout.conv_begin;
  for (std::int64_t h = 0; h < layout.x_heads; ++h)
    for (std::int64_t p = 0; p < layout.headdim; ++p)
      copy_row(a.v, kv_head(h, layout.x_heads) * a.headdim + p, rows, row++);
  const std::vector<std::int64_t> channels = state_channels(a.headdim, layout.dstate);
  for (std::int64_t h = 0; h < layout.b_heads; ++h)
    for (const std::int64_t channel : channels)
      copy_row(a.k, kv_head(h, layout.b_heads) * a.headdim + channel, rows, row++);
  for (std::int64_t h = 0; h < layout.c_heads; ++h)
    for (const std::int64_t channel : channels) copy_row(a.q, h * a.headdim + channel, rows, row++, c_scale);
  std::copy_n(a.o.f32(), a.o.elements(), mixer.out_proj.value.f32());
}

void start_llamba_mixer(const Attention& a, const std::vector<double>& mean, RandomStream& random,
                        TrainableDiscreteMamba2& mixer) {
  start_projections(a, mixer, 1.0F / std::sqrt(static_cast<float>(a.headdim)));
  start_convolution(mixer, 0, random);
  fill(mixer.z_bias.value, kOpenGate);
  double square = 0;
  for (const double m : mean) square += m * m;
  const SsmMixer::Layout& layout = mixer.layout();
  for (std::int64_t h = 0; h < layout.nheads; ++h) {
    float* row = mixer.in_proj.matrix().row(layout.decay_begin + h);
    for (std::size_t c = 0; c < mean.size(); ++c)
      row[c] = static_cast<float>(-kDecayLogit * mean[c] / square);
  }
}

void start_hybrid_mixer(const Attention& a, RandomStream& random, TrainableHybridMamba2& mixer) {
  const TensorView rows = mixer.in_proj.matrix();
  for (std::int64_t i = 0; i < rows.elements(); ++i)
    rows.f32()[i] = static_cast<float>(kFreshDeviation * random.normal());
  start_projections(a, mixer, 1.0F);
  start_convolution(mixer, kNoise, random);
  fill(mixer.skip.value, 1.0F);
  fill(mixer.norm.value, 1.0F);
  for (std::int64_t h = 0; h < mixer.layout().nheads; ++h) {
    const double dt = std::exp(std::log(1e-3) + random.uniform() * (std::log(0.1) - std::log(1e-3)));
    mixer.dt_bias.value.f32()[h] = static_cast<float>(std::log(std::expm1(dt)));
    mixer.a_log.value.f32()[h] = static_cast<float>(std::log(1 + 15 * random.uniform()));
  }
}

Status check_pairing(const ModelConfig& teacher, const ModelConfig& student) {
  const auto differ = [](const char* what, std::int64_t of_teacher, std::int64_t of_student) {
    return Error{ErrorCode::Mismatch,
                 fmt::format("the teacher has {} {}, the student {}", of_teacher, what, of_student)};
  };
  if (teacher.family != ModelFamily::Llama)
    return Error{ErrorCode::Unsupported, "a teacher is a Llama model; this one has recurrent layers"};
  if (teacher.n_layers != student.n_layers) return differ("layers", teacher.n_layers, student.n_layers);
  if (teacher.d_model != student.d_model) return differ("channels", teacher.d_model, student.d_model);
  if (teacher.d_ff != student.d_ff) return differ("MLP channels", teacher.d_ff, student.d_ff);
  if (teacher.vocab_size != student.vocab_size)
    return differ("tokens", teacher.vocab_size, student.vocab_size);
  return {};
}

Status check_heads(const Attention& a, const SsmMixer::Layout& layout) {
  const bool pairs = layout.nheads == a.heads && layout.c_heads == a.heads && layout.headdim == a.headdim &&
                     layout.dstate <= a.headdim && layout.x_heads % a.heads_kv == 0 &&
                     layout.b_heads % a.heads_kv == 0;
  if (pairs) return {};
  return Error{
      ErrorCode::Mismatch,
      fmt::format("the teacher has {} heads of {} ({} KV heads), the student {} heads of {} with states of "
                  "{}; heads must pair one to one",
                  a.heads, a.headdim, a.heads_kv, layout.nheads, layout.headdim, layout.dstate)};
}

}  // namespace

Status start_from_teacher(Context& context, const Model& teacher, std::span<const std::int32_t> ids,
                          RandomStream random, TrainableModel& student) {
  TANDEM_TRY(const ModelConfig config, read_model_config(teacher.info().path));
  TANDEM_RETURN_IF_ERROR(check_pairing(config, student.config()));
  TANDEM_TRY(const auto checkpoint, Checkpoint::open(teacher.info().path));
  for (const NamedTensor& tensor : student.parameters().tensors()) {
    const NamedTensor source{teacher_name(tensor.name), tensor.view};
    if (checkpoint->contains(source.name))
      TANDEM_RETURN_IF_ERROR(read_tensors(*checkpoint, std::span(&source, 1)));
  }
  MeanInput inputs(context);
  const Tensor logits = Tensor::uninitialized({1, teacher.info().vocab}, DType::F32, context.device());
  teacher.prefill(context, ids, nullptr, logits, &inputs);
  for (std::int64_t l = 0; l < student.layers(); ++l) {
    auto* mixer = dynamic_cast<TrainableSsm*>(&student.mixer(l));
    if (mixer == nullptr) continue;
    TANDEM_TRY(const Attention attention, read_attention(*checkpoint, config, l));
    TANDEM_RETURN_IF_ERROR(check_heads(attention, mixer->layout()));
    if (auto* llamba = dynamic_cast<TrainableDiscreteMamba2*>(mixer))
      start_llamba_mixer(attention, inputs.means[static_cast<std::size_t>(l)], random, *llamba);
    else
      start_hybrid_mixer(attention, random, dynamic_cast<TrainableHybridMamba2&>(*mixer));
  }
  return {};
}

}  // namespace tandem::training

#include "kernels/cuda/selective_scan.h"

#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/selective_channels.cuh"
#include "kernels/cuda/state_rows.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kTokens = 8;  // whose operands are loaded together, so that one wait serves all

/// What one token brings to a thread.
template <int kWidth, int kPieces>
struct Token {
  float x = 0.0F;
  float delta = 0.0F;
  Floats<kWidth> key[kPieces] = {};
  Floats<kWidth> query[kPieces] = {};
};

/// A thread's part of one channel: kPieces times kWidth numbers of its state, `lanes` * kWidth apart.
template <int kWidth, int kPieces>
struct ChannelPart {
  Floats<kWidth> state[kPieces] = {};
  Floats<kWidth> a[kPieces] = {};

  /// Moves the state on by a token; returns this part of what is read.
  __device__ float step(const Token<kWidth, kPieces>& token) {
    float read = 0.0F;
    TANDEM_UNROLL
    for (int k = 0; k < kPieces; ++k) {
      TANDEM_UNROLL
      for (int j = 0; j < kWidth; ++j) {
        float& s = state[k].at[j];
        s = expf(token.delta * a[k].at[j]) * s + token.delta * token.x * token.key[k].at[j];
        read += s * token.query[k].at[j];
      }
    }
    return read;
  }
};

template <int kWidth, int kPieces>
__global__ void __launch_bounds__(kThreads)
    selective_scan_kernel(SelectiveChannels o, int tokens, Matrix<float> states, Matrix<float> y, int lanes) {
  constexpr int kTogether = kPieces == 1 ? kTokens : 1;
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = static_cast<int>(blockIdx.x) * (kThreads / lanes) + thread / lanes;
  const bool present = channel < o.channels;
  const int first = thread % lanes * kWidth;
  const auto at = [&](int k) { return first + k * lanes * kWidth; };
  ChannelPart<kWidth, kPieces> part;
  TANDEM_UNROLL
  for (int k = 0; k < kPieces; ++k) {
    if (!present || at(k) >= o.dstate) continue;
    part.state[k] = load<kWidth>(states.at(channel, at(k)));
    part.a[k] = load<kWidth>(o.a.at(channel, at(k)));
  }
  for (int begin = 0; begin < tokens; begin += kTogether) {
    Token<kWidth, kPieces> token[kTogether];
    TANDEM_UNROLL
    for (int t = 0; t < kTogether; ++t) {
      if (!present || begin + t >= tokens) continue;
      token[t].x = *o.x.at(begin + t, channel);
      token[t].delta = *o.delta.at(begin + t, channel);
      TANDEM_UNROLL
      for (int k = 0; k < kPieces; ++k) {
        if (at(k) >= o.dstate) continue;
        token[t].key[k] = load<kWidth>(o.b_of(begin + t, channel) + at(k));
        token[t].query[k] = load<kWidth>(o.c_of(begin + t, channel) + at(k));
      }
    }
    TANDEM_UNROLL
    for (int t = 0; t < kTogether; ++t) {
      if (begin + t >= tokens) break;
      const float read = neighbours_sum(part.step(token[t]), lanes);
      if (present && first == 0) *y.at(begin + t, channel) = read + o.skip[channel] * token[t].x;
    }
  }
  TANDEM_UNROLL
  for (int k = 0; k < kPieces; ++k) {
    if (present && at(k) < o.dstate) store<kWidth>(states.at(channel, at(k)), part.state[k]);
  }
}

}  // namespace

void selective_scan(Stream& stream, const SelectiveOperands& o, TensorView state, TensorView y) {
  constexpr std::int64_t kMaxState = 256;
  check_selective_operands(o, "selective_scan");
  TANDEM_CHECK(
      state.contiguous() && state.shape() == o.a.shape() && y.shape() == o.x.shape() && o.dstate <= kMaxState,
      "selective_scan: state " + state.shape().str() + ", y " + y.shape().str());
  const bool wide = vectorizable(o.a, o.b, o.c, state) && o.dstate % kVector == 0;
  const int lanes = state_lanes(o.dstate, wide ? kVector : 1);
  const auto kernel = !wide                         ? selective_scan_kernel<1, kMaxState / kWarp>
                      : o.dstate <= lanes * kVector ? selective_scan_kernel<kVector, 1>
                                                    : selective_scan_kernel<kVector, 2>;
  launch(stream, kernel, Grid{ceil_div(o.channels, std::int64_t{kThreads / lanes})}, Block{kThreads}, 0,
         selective_channels(o), o.x.extent(0), matrix(state), matrix(y), lanes);
}

}  // namespace tandem::cuda

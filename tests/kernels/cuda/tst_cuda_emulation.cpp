// The emulation itself: what CUDA gives, and that it finds missing barriers, divergence and shared memory
// read before it is written.
#include <numeric>
#include <set>

#include <QTest>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"

using namespace tandem;
using namespace tandem::cuda;

namespace {

constexpr int kThreads = 64;

void write_places(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += static_cast<int>(block * 100 + thread);
}

void exchange_lanes(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* own = out + 5 * lane;
  own[0] = __shfl_sync(kAllLanes, lane, 3, 8);
  own[1] = __shfl_xor_sync(kAllLanes, lane, 5);
  own[2] = __shfl_up_sync(kAllLanes, lane, 2);
  own[3] = __shfl_down_sync(kAllLanes, lane, 2, 16);
  own[4] = static_cast<int>(__ballot_sync(kAllLanes, lane % 3 == 0));
}

void sum_half_warps(int* out) {
  const unsigned mask = threadIdx.x < 16 ? 0xFFFFU : 0xFFFF0000U;
  int sum = static_cast<int>(threadIdx.x);
  for (int lanes = 8; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(mask, sum, lanes);
  out[threadIdx.x] = sum;
}

template <bool kBarrier>
void reverse(float* values) {
  TANDEM_SHARED(float, shared, kThreads);
  shared[threadIdx.x] = values[threadIdx.x];
  if (kBarrier) __syncthreads();
  values[threadIdx.x] = shared[kThreads - 1 - threadIdx.x];
}

void half_at_a_barrier() {
  if (threadIdx.x < kThreads / 2) {
    __syncthreads();
  } else {
    __syncwarp();
    __syncthreads();  // another barrier than the first
  }
}

void lane_left_out() {
  if (threadIdx.x != 7) __syncwarp();
}

void reads_unwritten(float* out) {
  TANDEM_SHARED(float, sums, 2);
  if (threadIdx.x == 0) sums[0] = 1.0F;
  __syncthreads();
  atomicAdd(out, sums[threadIdx.x == 0 ? 0 : 1]);
}

void uses_dynamic(float* out) {
  TANDEM_DYNAMIC_SHARED(float, values);
  out[0] = values[0];
  values[0] = 2.0F;
  out[1] = values[0];
}

std::string failure(const std::function<void()>& run) {
  try {
    run();
  } catch (const emulation::EmulationError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

class TestCudaEmulation : public QObject {
  Q_OBJECT
 private slots:
  void init() { emulation::set_schedule(0); }

  void every_thread_runs_once() {
    for (std::uint32_t schedule = 0; schedule < 4; ++schedule) {
      emulation::set_schedule(schedule);
      std::vector<int> out(2 * 3 * 2 * 24);
      launch(stream_, write_places, Grid{2, 3, 2}, Block{4, 3, 2}, 0, out.data());
      for (int i = 0; i < static_cast<int>(out.size()); ++i) {
        QCOMPARE(out[static_cast<std::size_t>(i)], i / 24 * 100 + i % 24);
      }
    }
    launch(stream_, write_places, Grid{0}, Block{4}, 0, nullptr);
  }

  void lanes_exchange() {
    for (std::uint32_t schedule = 0; schedule < 4; ++schedule) {
      emulation::set_schedule(schedule);
      std::vector<int> out(5 * 32);
      launch(stream_, exchange_lanes, Grid{}, Block{32}, 0, out.data());
      for (int lane = 0; lane < 32; ++lane) {
        const int* own = out.data() + 5 * lane;
        QCOMPARE(own[0], lane / 8 * 8 + 3);
        QCOMPARE(own[1], lane ^ 5);
        QCOMPARE(own[2], lane < 2 ? lane : lane - 2);
        QCOMPARE(own[3], lane % 16 < 14 ? lane + 2 : lane);
        QCOMPARE(static_cast<unsigned>(own[4]), 0x49249249U);
      }
      launch(stream_, sum_half_warps, Grid{}, Block{32}, 0, out.data());
      QCOMPARE(out[3], 120);
      QCOMPARE(out[16], 376);
    }
  }

  void missing_barrier_changes_the_result() {
    std::set<std::vector<float>> with;
    std::set<std::vector<float>> without;
    for (std::uint32_t schedule = 0; schedule < 4; ++schedule) {
      emulation::set_schedule(schedule);
      std::vector<float> values(kThreads);
      std::iota(values.begin(), values.end(), 0.0F);
      std::vector<float> hasty = values;
      launch(stream_, reverse<true>, Grid{}, Block{kThreads}, 0, values.data());
      launch(stream_, reverse<false>, Grid{}, Block{kThreads}, 0, hasty.data());
      for (float& value : hasty) value = std::isnan(value) ? -1.0F : value;
      with.insert(values);
      without.insert(hasty);
    }
    QCOMPARE(with.size(), std::size_t{1});
    QVERIFY(without.size() > 2);
  }

  void divergence_is_reported() {
    const std::string barriers =
        failure([&] { launch(stream_, half_at_a_barrier, Grid{2}, Block{kThreads}, 0); });
    QVERIFY2(
        barriers.starts_with("block (0, 0, 0): threads wait for each other; threads 0-31: at __syncthreads, "
                             "tst_cuda_emulation.cpp:"),
        barriers.c_str());
    QVERIFY2(barriers.find("; threads 32-63: at __syncthreads, ") != std::string::npos, barriers.c_str());
    const std::string lanes = failure([&] { launch(stream_, lane_left_out, Grid{}, Block{32}, 0); });
    QVERIFY2(lanes.find("the mask names a lane that has exited") != std::string::npos, lanes.c_str());
    QVERIFY2(lanes.find("threads 0-6: at __syncwarp, tst_cuda_emulation.cpp:") != std::string::npos,
             lanes.c_str());
    const std::string missing = failure([&] { launch(stream_, lane_left_out, Grid{}, Block{5}, 0); });
    QVERIFY2(missing.find("a lane that the block does not have") != std::string::npos, missing.c_str());
    std::vector<float> values(kThreads, 1.0F);  // and it goes on as if nothing had been
    launch(stream_, reverse<true>, Grid{}, Block{kThreads}, 0, values.data());
    QCOMPARE(values[5], 1.0F);
  }

  void shared_memory_starts_as_nan() {
    for (int repeat = 0; repeat < 2; ++repeat) {
      float sum = 0.0F;
      launch(stream_, reads_unwritten, Grid{}, Block{2}, 0, &sum);
      QVERIFY(std::isnan(sum));
      float out[2];
      launch(stream_, uses_dynamic, Grid{2}, Block{1}, 8, static_cast<float*>(out));
      QVERIFY(std::isnan(out[0]));
      QCOMPARE(out[1], 2.0F);
    }
  }

  void limits_are_those_of_a_device() {
    const std::string threads = failure([&] { launch(stream_, lane_left_out, Grid{}, Block{33, 32}, 0); });
    QVERIFY2(threads.find("a block has at most 1024 threads") != std::string::npos, threads.c_str());
  }

 private:
  Stream stream_;
};

QTEST_APPLESS_MAIN(TestCudaEmulation)
#include "tst_cuda_emulation.moc"

// libtandem-cuda.so: the one function that it exports.
#include "kernels/cuda/cuda_device.h"

extern "C" [[gnu::visibility("default")]] tandem::Device* tandem_cuda_module(int interface_version, int index,
                                                                             char* why,
                                                                             std::size_t why_size) {
  return tandem::cuda::open_device(interface_version, index, why, why_size);
}

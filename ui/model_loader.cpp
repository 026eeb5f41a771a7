#include "ui/model_loader.h"

#include <exception>
#include <mutex>
#include <utility>

#include <QThreadPool>
#include <QtConcurrentRun>

#include "core/devices/devices.h"
#include "core/models/memory_plan.h"
#include "core/models/text_side.h"
#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr int kTellMs = 100;

QString bytes(std::int64_t count) {
  return formatBytes(static_cast<double>(count));
}

}  // namespace

std::size_t sideOf(const tandem::ModelInfo& info) {
  return static_cast<std::size_t>(info.is_pure_attention() ? Side::Teacher : Side::Student);
}

tandem::DType weightType(const std::string& weights) {
  return weights == "bf16" ? tandem::DType::BF16 : tandem::DType::F32;
}

ModelPointer lenderOf(const tandem::ModelInfo& model, const std::array<ModelPointer, 2>& models) {
  for (const ModelPointer& lender : models)
    if (lender && tandem::same_vocabulary(model, lender->info())) return lender;
  return nullptr;
}

/// What a load is doing, told by its thread and read by the GUI's. Thread-safe.
class LoadState {
 public:
  std::pair<QString, int> reading() const {
    const std::lock_guard lock(m_mutex);
    return {m_what, m_percent};
  }
  void setWhat(const QString& what) {
    const std::lock_guard lock(m_mutex);
    m_what = what;
    m_percent = 0;
  }
  void setPercent(int percent) {
    const std::lock_guard lock(m_mutex);
    m_percent = percent;
  }

 private:
  mutable std::mutex m_mutex;
  QString m_what = ModelLoader::tr("Loading");
  int m_percent = 0;
};

namespace {

ModelPointer givenBackElsewhere(ModelPointer model) {
  const tandem::Model* shown = model.get();
  return {shown, [model = std::move(model)](const tandem::Model* /*shown*/) mutable {
            QThreadPool::globalInstance()->start([last = std::move(model)]() mutable { last.reset(); });
          }};
}

/// One load, on its worker thread.
class Load {
 public:
  Load(LoadRequest request, LoadState& state, std::stop_token stop)
      : m_request(std::move(request)), m_state(state), m_stop(std::move(stop)) {}

  LoadedModels run() {
    const auto device = tandem::find_device(m_request.device);
    if (device) {
      openAll(*device);
    } else {
      fail(device.error());
    }
    const bool unfit =
        !device || (*device != nullptr && m_error && m_error->code == tandem::ErrorCode::OutOfRange);
    if (unfit && m_request.elseCpu) {
      const QString why = QString::fromStdString(m_error->message);
      m_error.reset();
      m_loaded = {};
      openAll(nullptr);
      m_loaded.notThere = why;
    }
    if (m_error) m_loaded.error = QString::fromStdString(m_error->message);
    m_loaded.weights = m_request.weights;
    return std::move(m_loaded);
  }

 private:
  void openAll(tandem::Device* device) {
    m_loaded.device = device;
    try {
      for (std::size_t side = 0; side < m_request.sides.size(); ++side) open(m_request.sides[side], side);
      open(m_request.anySide, {});
    } catch (const std::exception& e) {  // a device that does not answer, or out of memory
      fail({tandem::ErrorCode::OutOfRange, e.what()});
    }
  }

  void open(const ModelChoice& choice, std::optional<std::size_t> side) {
    if (choice.name.isEmpty() || m_stop.stop_requested()) return;
    tandem::LoadOptions options;
    options.weights = weightType(m_request.weights);
    options.device = m_loaded.device;
    const auto info = tandem::inspect_model(choice.name.toStdString(), options);
    if (!info) return fail(info.error());
    const std::size_t at = side.value_or(sideOf(*info));
    options.stop = m_stop;
    options.tokenizer = choice.tokenizer.toStdString();
    options.teacher = lenderOf(*info, m_request.lenders);
    options.progress = [this](std::int64_t done, std::int64_t total) {
      m_state.setPercent(static_cast<int>(total > 0 ? 100 * done / total : 100));
    };
    m_state.setWhat(planText(*info, m_loaded.device));
    auto model = tandem::open_model(choice.name.toStdString(), options);
    if (!model) {
      const bool lacksTokenizer = model.error().code == tandem::ErrorCode::NotFound &&
                                  choice.tokenizer.isEmpty() && !options.teacher &&
                                  !tandem::has_tokenizer(info->path);
      return lacksTokenizer ? ask(*info, at) : fail(model.error());
    }
    m_request.lenders[at] = m_loaded.models[at] = givenBackElsewhere(*std::move(model));
    m_loaded.tokenizers[at] = choice.tokenizer;
  }

  void fail(const tandem::Error& error) {
    if (!m_error && error.code != tandem::ErrorCode::Cancelled) m_error = error;
  }

  void ask(const tandem::ModelInfo& info, std::size_t side) {
    if (m_error) return;
    m_loaded.tokenizerFor = static_cast<Side>(side);
    m_loaded.withoutTokenizer = QString::fromStdString(info.path);
    fail({tandem::ErrorCode::NotFound,
          ModelLoader::tr("%1 comes without a tokenizer, and no loaded model has its vocabulary of %2: "
                          "load its teacher first, or choose a tokenizer.json")
              .arg(QString::fromStdString(info.name), formatCount(info.vocab))
              .toStdString()});
  }

  /// What the model will take, said before its weights are read.
  static QString planText(const tandem::ModelInfo& info, const tandem::Device* device) {
    return ModelLoader::tr("Loading %1: %2 of %3 free")
        .arg(QString::fromStdString(info.name), bytes(tandem::plan_memory(info, {}).peak()),
             bytes(tandem::available_memory(device)));
  }

  LoadRequest m_request;
  LoadState& m_state;
  std::stop_token m_stop;
  LoadedModels m_loaded;
  std::optional<tandem::Error> m_error;  // the first
};

}  // namespace

ModelLoader::ModelLoader(QObject* parent) : QObject(parent) {
  m_clock.setInterval(kTellMs);
  connect(&m_clock, &QTimer::timeout, this, &ModelLoader::tell);
}

ModelLoader::~ModelLoader() {
  stop();
}

void ModelLoader::load(LoadRequest request, bool quiet, Done done) {
  const quint64 generation = ++m_generation;
  stop();
  m_stop = {};
  m_state = std::make_shared<LoadState>();
  auto work = [request = std::move(request), state = m_state, stop = m_stop.get_token()] {
    return Load(request, *state, stop).run();
  };
  QtConcurrent::run(std::move(work))
      .then(this, [this, generation, done = std::move(done)](LoadedModels loaded) {
        const bool newest = generation == m_generation;
        if (newest && m_clock.isActive()) {
          m_clock.stop();
          emit progress(QString(), 100);
        }
        done(newest, std::move(loaded));
      });
  if (quiet) {
    m_clock.stop();
    emit progress(QString(), 100);
  } else {
    m_clock.start();
    tell();
  }
}

void ModelLoader::stop() {
  m_stop.request_stop();
}

void ModelLoader::tell() {
  const auto [what, percent] = m_state->reading();
  emit progress(what, percent);
}

}  // namespace tandem::ui

// Every family against what others compute for the same small weights: tests/data/models, made by
// tests/reference/make_formula_models.py (from the formulas) and make_library_models.py (published
// libraries).
#include <filesystem>
#include <fstream>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/mixing/capture.h"
#include "core/models/decode_state.h"
#include "core/models/memory_plan.h"
#include "core/models/ssm_state.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = TANDEM_TEST_DATA "/models";
constexpr double kTolerance = 1e-4;  // f32 against double (or f32) in another order, values of order 1 to 10

LoadOptions with_tokenizer() {
  LoadOptions options;
  options.tokenizer = resource_path("models/seed-teacher");
  return options;
}

LoadOptions on(const QString& device) {
  LoadOptions options = with_tokenizer();
  options.device = device_of(device);
  return options;
}

std::shared_ptr<const Model> open(const fs::path& folder, const LoadOptions& options = with_tokenizer()) {
  auto model = open_model(folder.string(), options);
  TANDEM_CHECK(model.ok(), model.error().message);
  return *model;
}

std::string error_of(const fs::path& folder, const LoadOptions& options = with_tokenizer()) {
  const auto model = open_model(folder.string(), options);
  return model.ok() ? "opened" : model.error().message;
}

/// What expected.safetensors of a model says.
struct Expected {
  explicit Expected(const fs::path& folder) {
    auto opened = Checkpoint::open((folder / "expected.safetensors").string());
    TANDEM_CHECK(opened.ok(), opened.error().message);
    file = *opened;
    ids = file->read_ids("ids").value();
  }
  Tensor operator[](const std::string& name) const { return file->read(name, file->shape(name)).value(); }

  std::shared_ptr<const Checkpoint> file;
  std::vector<std::int32_t> ids;
};

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = text_of(path);
  const auto at = text.find(from);
  TANDEM_CHECK(at != std::string::npos, "nothing to replace in " + path.string());
  write(path, text.replace(at, from.size(), to));
}

/// Writes the tensors of a checkpoint again, those that `keep` likes, and `extra`.
void rewrite(const fs::path& from, const fs::path& to, const std::function<bool(const std::string&)>& keep,
             const std::string& copy_of = {}, const std::string& copy_name = {}, float change = 0) {
  const auto checkpoint = Checkpoint::open(from.string()).value();
  std::vector<Tensor> owners;
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& name, const std::string& source, float by) {
    owners.push_back(checkpoint->read(source, checkpoint->shape(source)).value());
    owners.back().f32()[0] += by;
    tensors.push_back({name, owners.back().view()});
  };
  for (const std::string& name : checkpoint->names())
    if (keep(name)) add(name, name, 0);
  if (!copy_of.empty()) add(copy_name, copy_of, change);
  TANDEM_CHECK(write_safetensors(to.string(), tensors).ok(), "cannot write " + to.string());
}

}  // namespace

class TestFamilies : public QObject {
  Q_OBJECT
 private slots:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void whole_sequences_match_data() { model_rows(); }
  void whole_sequences_match() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const fs::path folder = kModels / model.toStdString();
    const Expected expected(folder);
    const auto loaded = open(folder, on(device));
    Context context(2, loaded->device());
    const auto captured = capture(*loaded, expected.ids, {}, context);
    QVERIFY(captured.ok());
    const double logits = max_abs_error(captured->logits, expected["logits"]);
    double matrices = 0;
    for (const LayerMatrices& layer : captured->layers) {
      const std::string name = "matrix." + std::to_string(layer.layer);
      if (expected.file->contains(name))
        matrices = std::max(matrices, max_abs_error(layer.matrix, expected[name]));
    }
    qInfo("max abs error: logits %.2g, matrices %.2g", logits, matrices);
    QCOMPARE_LE(logits, kTolerance);
    QCOMPARE_LE(matrices, kTolerance);
  }

  void decoding_and_states_match_data() { model_rows(); }
  void decoding_and_states_match() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const fs::path folder = kModels / model.toStdString();
    const Expected expected(folder);
    const auto loaded = open(folder, on(device));
    const auto tokens = static_cast<std::int64_t>(expected.ids.size());
    const Tensor want = expected["logits"];
    Context context(1, loaded->device());
    for (const std::int64_t prompt : {std::int64_t{1}, std::int64_t{2}, std::int64_t{5}, tokens}) {
      DecodeState state(context, *loaded, {prompt, 2, tokens, false});
      const Tensor logits = results(context, {1, loaded->info().vocab});
      loaded->prefill(context, std::span(expected.ids).first(static_cast<std::size_t>(prompt)), &state,
                      logits);
      QCOMPARE_LE(max_abs_error(on_host(context, logits), want.view().rows(prompt - 1, 1)), kTolerance);
      const std::int32_t slot = 1;
      state.start_slot(slot);
      for (std::int64_t t = prompt; t < tokens; ++t) {
        loaded->step(context, state, {&expected.ids[static_cast<std::size_t>(t)], 1}, {&slot, 1}, logits);
        QCOMPARE_LE(max_abs_error(on_host(context, logits), want.view().rows(t, 1)), kTolerance);
      }
      for (std::int64_t l = 0; l < std::ssize(loaded->info().layers); ++l) {
        const std::string name = "state." + std::to_string(l);
        if (!expected.file->contains(name)) continue;
        const auto& memory = dynamic_cast<SsmState&>(state.layer(l));
        const Tensor last = expected[name];
        const TensorView got = prompt == tokens ? memory.prompt_state() : memory.states().rows(slot, 1);
        QCOMPARE_LE(max_abs_error(on_host(context, got), last), kTolerance);
      }
    }
  }

  void planned_sizes_are_those_loaded_data() { model_rows(); }
  void planned_sizes_are_those_loaded() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const fs::path folder = kModels / model.toStdString();
    const auto planned = inspect_model(folder.string(), on(device));
    QVERIFY2(planned.ok(), planned.ok() ? "" : planned.error().message.c_str());
    const ModelInfo loaded = open(folder, on(device))->info();
    QCOMPARE(planned->layers.size(), loaded.layers.size());
    QCOMPARE(planned->cache_bytes_per_token(), loaded.cache_bytes_per_token());
    QCOMPARE(planned->state_bytes(), loaded.state_bytes());
    QCOMPARE(planned->parameters, loaded.parameters);
    QVERIFY(planned->sha256.empty());
    // Matrices this small are padded to the packed layout's blocks, by at most 64 columns each.
    QVERIFY(planned->weight_bytes <= loaded.weight_bytes);
    QVERIFY(loaded.memory_bytes - loaded.weight_bytes == planned->memory_bytes - planned->weight_bytes);
  }

  void rotary_scaling_of_kept_attention_is_a_switch() {
    const Expected split(kModels / "hybrid-mamba1");
    const Expected fused(kModels / "hybrid-mamba1-fused");
    const auto logits_error = [](const char* model, AttentionRope rope, const Expected& expected,
                                 const char* name) {
      LoadOptions options = with_tokenizer();
      options.attention_rope = rope;
      Context context;
      const auto loaded = open(kModels / model, options);
      Tensor logits({std::ssize(expected.ids), loaded->info().vocab});
      loaded->prefill(context, expected.ids, nullptr, logits);
      return max_abs_error(logits, expected[name]);
    };
    QVERIFY(max_abs_error(split["logits"], split["unscaled.logits"]) > 10 * kTolerance);
    QCOMPARE_LE(logits_error("hybrid-mamba1", AttentionRope::Unscaled, split, "unscaled.logits"), kTolerance);
    QCOMPARE_LE(logits_error("hybrid-mamba1", AttentionRope::Scaled, split, "logits"), kTolerance);
    QCOMPARE_LE(logits_error("hybrid-mamba1-fused", AttentionRope::Scaled, fused, "scaled.logits"),
                kTolerance);
    fs::copy(kModels / "hybrid-mamba1", path("m"));
    replace(path("m/mamba_config.json"), "{", R"({"attn_rope": "unscaled",)");
    Context context;
    Tensor logits({std::ssize(split.ids), 103});
    open(path("m"))->prefill(context, split.ids, nullptr, logits);
    QCOMPARE_LE(max_abs_error(logits, split["unscaled.logits"]), kTolerance);
  }

  void a_tied_model_may_carry_its_head() {
    const fs::path source = kModels / "llamba";
    const auto all = [](const std::string&) { return true; };
    fs::create_directory(path("m"));
    fs::copy(source / "config.json", path("m/config.json"));
    rewrite(source, path("m/model.safetensors"), all, "backbone.embedding.weight", "lm_head.weight");
    QCOMPARE(error_of(path("m")), std::string("opened"));
    rewrite(source, path("m/model.safetensors"), all, "backbone.embedding.weight", "lm_head.weight", 1);
    const std::string error = error_of(path("m"));
    QVERIFY2(error.find("'lm_head.weight' differs from 'backbone.embedding.weight'") != std::string::npos,
             error.c_str());
  }

  void shards_are_one_model() {
    const fs::path source = kModels / "llamba";
    fs::create_directory(path("m"));
    fs::copy(source / "config.json", path("m/config.json"));
    const auto first = [](const std::string& name) { return name.find("layers.1") != std::string::npos; };
    rewrite(source, path("m/model-00001-of-00002.safetensors"), first);
    rewrite(source, path("m/model-00002-of-00002.safetensors"), std::not_fn(first));
    std::string map;
    for (const std::string& name : Checkpoint::open(source.string()).value()->names())
      map += (map.empty() ? "\"" : ",\"") + name + "\":\"model-0000" + (first(name) ? "1" : "2") +
             "-of-00002.safetensors\"";
    write(path("m/model.safetensors.index.json"), R"({"metadata": {}, "weight_map": {)" + map + "}}");
    const Expected expected(source);
    Context context;
    Tensor logits({std::ssize(expected.ids), 103});
    open(path("m"))->prefill(context, expected.ids, nullptr, logits);
    QCOMPARE_LE(max_abs_error(logits, expected["logits"]), kTolerance);
  }

  void a_model_without_tokenizer_takes_the_teachers() {
    const std::string alone = error_of(kModels / "llamba", {});
    QVERIFY2(alone.find("no tokenizer.json") != std::string::npos, alone.c_str());
    LoadOptions beside;
    beside.teacher = bundled("seed-teacher");
    const auto student = open(kModels / "llamba", beside);
    QCOMPARE(&student->tokenizer(), &beside.teacher->tokenizer());
    QCOMPARE(student->info().eos_ids, beside.teacher->info().eos_ids);
    QCOMPARE(open(kModels / "llamba")->info().eos_ids, beside.teacher->info().eos_ids);
    QCOMPARE(open(kModels / "hybrid-mamba2")->info().eos_ids, (std::vector<std::int32_t>{0, 101}));
    LoadOptions stranger;
    stranger.teacher = bundled("pocket-teacher");
    const std::string other = error_of(kModels / "llamba", stranger);
    QVERIFY2(other.find("pocket-teacher") != std::string::npos, other.c_str());
    LoadOptions file;
    file.tokenizer = resource_path("models/seed-teacher/tokenizer.json");
    QCOMPARE(open(kModels / "llamba", file)->prompt().template_text, beside.teacher->prompt().template_text);
  }

  void a_folder_of_one_gguf_file_is_that_model() {
    fs::create_directory(path("m"));
    write(path("m/a.gguf"), "no GGUF");
    const std::string one = error_of(path("m"));
    QVERIFY2(one.find("a.gguf") != std::string::npos, one.c_str());
    write(path("m/b.gguf"), "no GGUF");
    const std::string two = error_of(path("m"));
    QVERIFY2(two.find("2 .gguf files") != std::string::npos, two.c_str());
  }

  void loading_tells_its_progress_and_stops() {
    LoadOptions options = with_tokenizer();
    std::int64_t last = 0;
    std::int64_t whole = 0;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      QVERIFY(done > last && done <= total);
      last = done;
      whole = total;
    };
    open(kModels / "llamba", options);
    QVERIFY(last > whole * 9 / 10);  // the files' headers are read once only
    std::stop_source source;
    options.stop = source.get_token();
    int calls = 0;
    options.progress = [&](std::int64_t, std::int64_t) {
      if (++calls == 3) source.request_stop();
    };
    const auto stopped = open_model((kModels / "llamba").string(), options);
    QVERIFY(!stopped.ok() && stopped.error().code == ErrorCode::Cancelled);
    QCOMPARE(calls, 3);
  }

  void too_little_memory_is_said() {
    const auto info = inspect_model((kModels / "hybrid-mamba2").string());
    const StateShape shape{1000, 8, 2000, false};
    const MemoryPlan plan = plan_memory(*info, shape);
    QCOMPARE(plan.prompt, 1000 * info->cache_bytes_per_token() + info->state_bytes());
    QCOMPARE(plan.completions, 8 * (2000 * info->cache_bytes_per_token() + info->state_bytes()));
    QCOMPARE(plan_memory(*info, {1000, 8, 2000, true}).completions,
             8 * (3000 * info->cache_bytes_per_token() + info->state_bytes()));
    QVERIFY(check_load(*info, plan, plan.weights + plan.loading).ok());
    QVERIFY(check_load(*info, plan, 0).ok());
    QVERIFY(check_run(*info, shape, plan.running()).ok());
    QVERIFY(check_run(*info, shape, 0).ok());
    const auto sentence = [](const Status& refused) {
      TANDEM_CHECK(!refused.ok() && refused.error().code == ErrorCode::OutOfRange, "nothing was refused");
      return refused.error().message;
    };
    const std::string load = sentence(check_load(*info, plan, plan.weights + plan.loading - 1));
    QVERIFY2(load.starts_with("hybrid-mamba2 needs"), load.c_str());
    const std::string run = sentence(check_run(*info, shape, plan.running() - 1));
    QVERIFY2(run.starts_with("hybrid-mamba2 needs") && run.ends_with("a batch of 7 in place of 8 fits"),
             run.c_str());
    const std::string none = sentence(check_run(*info, shape, plan.prompt));
    QVERIFY2(none.find("not even one completion fits") != std::string::npos, none.c_str());
    QVERIFY(available_memory() > 0);
  }

 private:
  static void model_rows() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("device");
    for (const auto& entry : fs::directory_iterator(kModels))
      for (const auto& [device, unused] : devices())
        QTest::addRow("%s, %s", entry.path().filename().c_str(), device)
            << QString::fromStdString(entry.path().filename()) << device;
  }
  fs::path path(const char* name) const { return fs::path(m_folder->path().toStdString()) / name; }

  std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_GUILESS_MAIN(TestFamilies)
#include "tst_families.moc"

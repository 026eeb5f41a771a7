// Sampling completions: reproducible, independent of batch and order, stopped for the right reason, refused
// when impossible.
#include <cmath>
#include <map>
#include <set>

#include <QTest>

#include "kernels/base/philox.h"
#include "core/generation/generate.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

namespace {

const std::string kQuestion =
    "Ava has 12 apples. Ben gives Ava 3 bags with 4 apples each. How many apples does Ava have now?";

GenerationRequest request_for(const Model& model, int completions) {
  GenerationRequest request = make_request(model, model.prompt(), kQuestion);
  request.completions = completions;
  request.max_new_tokens = 120;
  request.seed = 7;
  return request;
}

GenerationResult run(const Model& model, const GenerationRequest& request,
                     GenerationObserver* observer = nullptr, std::stop_token stop = {}) {
  Context context(2, model.device());
  auto result = generate(model, request, context, observer, stop);
  TANDEM_CHECK(result.ok(), result.error().message);
  return *std::move(result);
}

class Recorder final : public GenerationObserver {
 public:
  void on_prefill(double seconds, std::int64_t tokens) override { prefill = {seconds, tokens}; }
  void on_step(const StepSample& sample, std::span<const TokenEvent> tokens) override {
    steps.push_back(sample);
    for (const TokenEvent& token : tokens) streamed[token.index] += token.text;
    if (stop_after > 0 && static_cast<int>(steps.size()) == stop_after) source.request_stop();
  }
  void on_finished(const Completion& completion) override { finished.push_back(completion); }

  std::pair<double, std::int64_t> prefill;
  std::vector<StepSample> steps;
  std::map<int, std::string> streamed;
  std::vector<Completion> finished;
  std::stop_source source;
  int stop_after = 0;
};

}  // namespace

class TestGenerate : public QObject {
  Q_OBJECT
 private slots:
  void philox_known_answers() {  // Random123's published vectors for philox4x32-10
    const auto block = [](std::uint32_t counter, std::uint32_t key) {
      return std::to_array(philox4x32({{counter, counter, counter, counter}}, key, key).at);
    };
    QCOMPARE(block(0, 0),
             (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    QCOMPARE(block(0xffffffff, 0xffffffff),
             (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  }

  void a_completion_depends_only_on_its_index_data() { model_rows(); }
  void a_completion_depends_only_on_its_index() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const auto loaded = bundled(model.toStdString(), device_of(device));
    const auto together = run(*loaded, request_for(*loaded, 64));
    QCOMPARE(together.completions.size(), std::size_t{64});
    std::set<std::vector<std::int32_t>> distinct;
    for (const Completion& completion : together.completions) distinct.insert(completion.tokens);
    QVERIFY2(distinct.size() > 8, "64 samples at temperature 1 hardly differ");

    GenerationRequest refilled = request_for(*loaded, 64);
    refilled.batch = 5;
    const auto in_fives = run(*loaded, refilled);
    GenerationRequest private_prefix = request_for(*loaded, 64);
    private_prefix.private_prefix = true;
    const auto apart = run(*loaded, private_prefix);
    for (std::size_t i = 0; i < 64; ++i) {
      QCOMPARE(in_fives.completions[i].tokens, together.completions[i].tokens);
      QCOMPARE(apart.completions[i].tokens, together.completions[i].tokens);
      QCOMPARE(in_fives.completions[i].text, together.completions[i].text);
    }
    for (const int index : {0, 17, 63}) {
      GenerationRequest single = request_for(*loaded, 1);
      single.first_index = index;
      QCOMPARE(run(*loaded, single).completions[0].tokens,
               together.completions[static_cast<std::size_t>(index)].tokens);
    }
    GenerationRequest other = request_for(*loaded, 64);
    other.problem = 1;
    QVERIFY(run(*loaded, other).completions[0].tokens != together.completions[0].tokens ||
            run(*loaded, other).completions[1].tokens != together.completions[1].tokens);
  }

  void events_tell_what_happened_data() { model_rows(); }
  void events_tell_what_happened() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const auto loaded = bundled(model.toStdString(), device_of(device));
    GenerationRequest request = request_for(*loaded, 12);
    request.batch = 4;
    Recorder recorder;
    const auto result = run(*loaded, request, &recorder);
    QCOMPARE(recorder.prefill.second, static_cast<std::int64_t>(request.prompt.size()));
    QCOMPARE(recorder.finished.size(), std::size_t{12});
    std::int64_t rows = 0;
    double last = 0;
    for (const StepSample& step : recorder.steps) {
      QVERIFY(step.occupied >= 1 && step.occupied <= 4);
      QVERIFY(step.time_s >= last && step.step_s >= 0);
      last = step.time_s;
      rows += step.occupied;
    }
    QCOMPARE(rows, result.generated_tokens);
    for (const Completion& completion : result.completions) {
      QVERIFY(completion.finish == FinishReason::Eos || completion.finish == FinishReason::Length);
      QVERIFY(completion.first_token_s <= completion.finish_s && completion.finish_s <= result.decode_s);
      QCOMPARE(completion.logprobs.size(), completion.tokens.size());
      for (const float logprob : completion.logprobs) QVERIFY(logprob <= 0 && std::isfinite(logprob));
      QVERIFY(QString::fromStdString(completion.text)
                  .startsWith(QString::fromStdString(recorder.streamed[completion.index])));
      QCOMPARE(completion.text, loaded->tokenizer().decode(completion.tokens));
    }
    QVERIFY(result.cache_bytes > 0);
  }

  void stops_for_the_right_reason() {
    const auto model = bundled("seed-teacher");
    GenerationRequest request = request_for(*model, 8);
    request.max_new_tokens = 5;
    for (const Completion& completion : run(*model, request).completions) {
      QCOMPARE(completion.finish, FinishReason::Length);
      QCOMPARE(completion.tokens.size(), std::size_t{5});
    }
    request.max_new_tokens = 120;
    request.stop_strings = {"with 12"};
    for (const Completion& completion : run(*model, request).completions) {
      if (completion.finish == FinishReason::StopString)
        QVERIFY(completion.text.find("with 12") == std::string::npos);
    }
    request.stop_strings.clear();
    request.time_budget_s = 1e-9;
    const auto budget = run(*model, request);
    QCOMPARE(budget.completions.size(), std::size_t{8});
    for (const Completion& completion : budget.completions) QCOMPARE(completion.finish, FinishReason::Budget);
    QVERIFY(!budget.cancelled);

    request.time_budget_s.reset();
    Recorder recorder;
    recorder.stop_after = 3;
    const auto cancelled = run(*model, request, &recorder, recorder.source.get_token());
    QVERIFY(cancelled.cancelled);
    for (const Completion& completion : cancelled.completions) {
      QCOMPARE(completion.finish, FinishReason::Cancelled);
      QCOMPARE(completion.tokens.size(), std::size_t{3});
    }
  }

  void impossible_requests_are_refused_data() {
    QTest::addColumn<QString>("what");
    for (const char* what : {"prompt", "id", "completions", "temperature", "nan", "top_p", "top_k", "limit",
                             "context", "budget"})
      QTest::newRow(what) << what;
  }
  void impossible_requests_are_refused() {
    QFETCH(QString, what);
    const auto model = bundled("seed-teacher");
    GenerationRequest request = request_for(*model, 1);
    if (what == "prompt") request.prompt.clear();
    if (what == "id") request.prompt[0] = 103;
    if (what == "completions") request.completions = 0;
    if (what == "temperature") request.sampling.temperature = -1;
    if (what == "nan") request.sampling.temperature = std::nanf("");
    if (what == "top_p") request.sampling.top_p = 0;
    if (what == "top_k") request.sampling.top_k = -1;
    if (what == "limit") request.max_new_tokens = 0;
    if (what == "context") request.max_new_tokens = 1024;
    if (what == "budget") request.time_budget_s = 0;
    Context context;
    const auto result = generate(*model, request, context);
    QVERIFY(!result.ok());
    QCOMPARE(result.error().code, what == "context" ? ErrorCode::OutOfRange : ErrorCode::InvalidArgument);
    QVERIFY(result.error().message.size() > 20);
  }
};

QTEST_GUILESS_MAIN(TestGenerate)
#include "tst_generate.moc"

// One tokenizer for many threads.
#include "threads.hpp"

#include <atomic>

#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

TEST_CASE("a tokenizer shared by threads gives each the reference's ids and text", "[text]") {
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name).at("ids");
    std::vector<std::vector<std::int32_t>> ids;
    for (std::size_t i = 0; i < texts().size(); ++i) ids.push_back(ids_from(expected.at(i)));
    std::atomic<int> wrong{0};
    ::test::at_once(4, [&](int thread) {
      for (std::size_t n = 0; n < texts().size(); ++n) {
        const std::size_t i = (n * 7 + static_cast<std::size_t>(thread) * 100) % texts().size();
        if (reference.tokenizer.encode(texts()[i]) != ids[i]) ++wrong;
        StreamDecoder decoder(reference.tokenizer, false);
        std::string text;
        for (const std::int32_t id : ids[i]) text += decoder.push(id);
        text += decoder.finish();
        if (text != reference.tokenizer.decode(ids[i])) ++wrong;
      }
    });
    INFO(reference.name);
    CHECK(wrong == 0);
  }
}

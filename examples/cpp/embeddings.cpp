// Embeddings of pictures: which of them look alike to the model.   embeddings MODEL_DIR PICTURE PICTURE...
#include <cmath>
#include <cstdio>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

namespace {

// The vision tower gives a row for every 28 x 28 pixels; their mean, made a unit vector, stands for the picture.
std::vector<double> embedding(const octavo::Model& model, const std::string& file) {
  const octavo::Image image = octavo::load_image(file);
  const octavo::ModelInput input = model.prepare("Look.", {&image, 1});  // the text plays no part below
  const octavo::Tensor rows = model.encode_images(input);                // f32 [image tokens, hidden]
  std::vector<double> mean(static_cast<std::size_t>(rows.dim(1)));
  for (std::int64_t i = 0; i < rows.numel(); ++i)
    mean[static_cast<std::size_t>(i) % mean.size()] += rows.data<float>()[i];
  double length = 0;
  for (const double value : mean) length += value * value;
  for (double& value : mean) value /= std::sqrt(length);
  return mean;
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: %s MODEL_DIR PICTURE PICTURE...\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    const std::vector<std::string> files(argv + 2, argv + argc);
    std::vector<std::vector<double>> embeddings;
    for (const std::string& file : files) embeddings.push_back(embedding(model, file));
    for (std::size_t a = 0; a < files.size(); ++a) {
      std::size_t nearest = a == 0 ? 1 : 0;
      for (std::size_t b = 0; b < files.size(); ++b)
        if (b != a && cosine(embeddings[a], embeddings[b]) > cosine(embeddings[a], embeddings[nearest])) nearest = b;
      std::printf("%s is most like %s, cosine %.4f\n", files[a].c_str(), files[nearest].c_str(),
                  cosine(embeddings[a], embeddings[nearest]));
    }
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

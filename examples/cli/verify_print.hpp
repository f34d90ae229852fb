// What octavo verify prints.
#pragma once

#include <cstdio>
#include <octavo/verify.hpp>

namespace cli {

void print_step(std::FILE* out, const octavo::StepResult& step);
void print_diagnosis(const octavo::Diagnosis& diagnosis);
void print_evaluation(const octavo::VerifyResult& result);

}  // namespace cli

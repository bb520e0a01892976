// OpenCV's filter2D behind a C function, on one thread. bench/run builds it into
// build/bench/filter2d.so where OpenCV's headers are installed; bench_kernels loads it.
#include <cstddef>
#include <cstdint>

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

extern "C" void filter2d(size_t h, size_t w, const uint8_t *image, size_t k, const float *kernel,
                         uint8_t *out)
{
    cv::setNumThreads(1);
    const int rows = static_cast<int>(h), cols = static_cast<int>(w), side = static_cast<int>(k);
    // cv::Mat takes no const data, but an input is not written.
    const cv::Mat from(rows, cols, CV_8UC1, const_cast<uint8_t *>(image));
    const cv::Mat weights(side, side, CV_32FC1, const_cast<float *>(kernel));
    cv::Mat to(rows, cols, CV_8UC1, out);
    cv::filter2D(from, to, CV_8U, weights, cv::Point(-1, -1), 0, cv::BORDER_REFLECT_101);
}

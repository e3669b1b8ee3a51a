package media

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // to decode pictures
	"io"
)

// The limits of a thumbnail. Those of the picture keep what decoding it takes in memory below some
// 20 MiB; a picture beyond them is sent without a thumbnail.
const (
	thumbSide        = 96
	thumbQuality     = 60
	maxPictureBytes  = 16 << 20
	maxJPEG          = 12_500_000 // pixels
	maxOtherPicture  = 4_000_000  // pixels: of progressive JPEGs and PNGs, which take more for each
	samplesPerOutput = 4          // along each side
)

// picture reads the size of a picture and makes its thumbnail. What cannot be read has neither.
func picture(l Looks, head []byte, size int64, open func() io.Reader) Looks {
	config, format, err := image.DecodeConfig(bytes.NewReader(head))
	if err != nil {
		config, format, err = image.DecodeConfig(open()) // its description is longer than the head
	}
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return l
	}
	l.Width, l.Height = config.Width, config.Height
	most := maxOtherPicture
	if format == "jpeg" && !progressive(head) {
		most = maxJPEG
	}
	if size > maxPictureBytes || config.Width > most/config.Height {
		return l
	}
	img, _, err := image.Decode(open())
	if err != nil {
		return l
	}
	var out bytes.Buffer
	if jpeg.Encode(&out, shrink(img), &jpeg.Options{Quality: thumbQuality}) == nil {
		l.Thumbnail = out.Bytes()
	}
	return l
}

// progressive reports whether the beginning of a JPEG does not say that it is a baseline one.
func progressive(head []byte) bool {
	for i := 2; i+4 <= len(head) && head[i] == 0xff; {
		switch head[i+1] {
		case 0xc0, 0xc1:
			return false
		case 0xc2:
			return true
		}
		i += 2 + int(head[i+2])<<8 + int(head[i+3])
	}
	return true
}

// shrink makes a picture fit thumbSide, each pixel the mean of some in its place.
func shrink(img image.Image) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	scale := min(1, thumbSide/float64(max(w, h)))
	out := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(w)*scale)), max(1, int(float64(h)*scale))))
	ow, oh := out.Rect.Dx(), out.Rect.Dy()
	const n = samplesPerOutput
	for y := range oh {
		for x := range ow {
			var r, g, bl uint32
			for i := range n * n {
				sx := b.Min.X + ((x*n+i%n)*2+1)*w/(2*n*ow)
				sy := b.Min.Y + ((y*n+i/n)*2+1)*h/(2*n*oh)
				cr, cg, cb, ca := img.At(sx, sy).RGBA()
				white := 0xffff - ca // what is transparent shows white
				r, g, bl = r+cr+white, g+cg+white, bl+cb+white
			}
			mean := func(sum uint32) uint8 { return uint8(sum / (n * n) >> 8) }
			out.SetRGBA(x, y, color.RGBA{mean(r), mean(g), mean(bl), 0xff})
		}
	}
	return out
}

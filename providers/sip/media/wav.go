package media

import "encoding/binary"

const (
	wavHeader = 44
	frameSize = 4 // two channels of 16 bits
)

// putWAVHeader writes the header of a stereo file, 8 kHz and 16 bit, that holds so many bytes of sound.
func putWAVHeader(b *[wavHeader]byte, size int64) {
	const most = 1<<32 - 1 - wavHeader // the format's sizes have 32 bits: that is 37 hours
	n := uint32(min(size, most))
	copy(b[0:], "RIFF")
	binary.LittleEndian.PutUint32(b[4:], n+wavHeader-8)
	copy(b[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(b[16:], 16)             // size of this part
	binary.LittleEndian.PutUint16(b[20:], 1)              // PCM
	binary.LittleEndian.PutUint16(b[22:], 2)              // channels
	binary.LittleEndian.PutUint32(b[24:], rate)           // frames a second
	binary.LittleEndian.PutUint32(b[28:], rate*frameSize) // bytes a second
	binary.LittleEndian.PutUint16(b[32:], frameSize)      // bytes a frame
	binary.LittleEndian.PutUint16(b[34:], 16)             // bits a sample
	copy(b[36:], "data")
	binary.LittleEndian.PutUint32(b[40:], n)
}

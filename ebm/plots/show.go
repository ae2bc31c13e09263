package plots

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"github.com/pkg/errors"
)

// DirEnv names the environment variable with the directory that Show writes to outside a notebook.
const DirEnv = "EBM_PLOTS"

func init() {
	// Without it gob cannot send the size of a picture, closes the pipe to GoNB and loses the picture.
	gob.Register(map[string]any{})
}

// Show displays the picture inline in a GoNB notebook. Elsewhere it writes NAME.png into the directory $EBM_PLOTS, else
// the current one, and says so on stdout. The name is that given by Name, else made from the title, else from the
// picture's contents.
func (f *Figure) Show() error {
	data, err := f.PNG()
	if err != nil {
		return err
	}
	name := f.name
	if name == "" {
		name = f.title
	}
	for _, p := range f.panels {
		if name == "" {
			name = p.title
		}
	}
	return show(name, data, figureDPI)
}

// Show displays the animation inline in a GoNB notebook, elsewhere it writes a file as [Figure.Show] does.
func (a *Animation) Show() error {
	data, dpi, err := a.encode()
	if err != nil {
		return err
	}
	name := a.Name
	for _, f := range a.Frames {
		if name == "" {
			name = f.title
		}
		for _, p := range f.panels {
			if name == "" {
				name = p.title
			}
		}
	}
	return show(name, data, dpi)
}

func show(name string, data []byte, dpi float64) error {
	if !gonbui.IsNotebook {
		path := filepath.Join(os.Getenv(DirEnv), fileName(name, data))
		if err := writeFile(path, data); err != nil {
			return err
		}
		fmt.Println("wrote", path)
		return nil
	}
	w, h := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	css := func(px uint32) int { return int(float64(px)*96/dpi + .5) }
	gonbui.SendData(&protocol.DisplayData{
		Data:     map[protocol.MIMEType]any{protocol.MIMEImagePNG: data},
		Metadata: map[string]any{string(protocol.MIMEImagePNG): map[string]any{"width": css(w), "height": css(h)}},
	})
	gonbui.Sync() // a program that ends at once would take the picture with it
	return errors.WithMessage(gonbui.Error(), "Show: GoNB")
}

// Markdown displays text, with tables and formulas, in a GoNB notebook, and waits until it is there: gonbui.DisplayMarkdown
// leaves that to chance where a cell's program ends at once. Elsewhere the text goes to stdout.
func Markdown(text string) {
	gonbui.DisplayMarkdown(text)
	gonbui.Sync()
	if err := gonbui.Error(); err != nil {
		fmt.Fprintln(os.Stderr, "plots: Markdown: GoNB:", err)
	}
	if !gonbui.IsNotebook || gonbui.Error() != nil {
		fmt.Println(strings.TrimSuffix(text, "\n"))
	}
}

// fileName makes a file name of letters, digits and dashes.
func fileName(name string, data []byte) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(strings.TrimSuffix(b.String(), ".png"), "-.")
	if s == "" {
		s = fmt.Sprintf("figure-%x", sha256.Sum256(data))[:15]
	}
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60])
	}
	return s + ".png"
}

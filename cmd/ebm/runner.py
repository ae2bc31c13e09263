"""Execute one GoNB notebook, check it, and write what run.go asks for. Arguments: one JSON object."""

import base64, hashlib, json, pathlib, re, sys, time

import nbformat
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Code spans and fences come first, so that a $ in them stays one.
MATHS = re.compile(r"(```.*?```|`[^`]*`)|\$\$(.+?)\$\$|(?<![\\$])\$(?![\s$])(.+?)(?<![\s\\])\$(?!\d)", re.S)


def execute(nb, o):
    """Run the code cells in order; return what is wrong with the first that fails, or None."""
    client = NotebookClient(nb, kernel_name="gonb", timeout=o["timeout"] or None, startup_timeout=120, record_timing=False,
                            coalesce_streams=True, force_raise_errors=True, resources={"metadata": {"path": o["folder"]}})
    count = 0
    with client.setup_kernel():
        for index, cell in enumerate(nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            count, start, wrong, had = count + 1, time.monotonic(), None, bool(cell.outputs)
            try:
                client.execute_cell(cell, index)
            except CellTimeoutError:
                wrong = f"took longer than {o['timeout']} s"
            except DeadKernelError:
                wrong = "the kernel died"
            except CellExecutionError as e:
                wrong = f"{e.ename}: {e.evalue}\n{e.traceback}"
            cell.execution_count = count
            # GoNB reports a shell line that fails, and a picture that is lost, only by text on standard error.
            stderr = "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stderr")
            if not wrong and stderr:
                wrong = "standard error is not empty:\n" + stderr
            if not wrong and any(out.output_type == "error" for out in cell.outputs):
                wrong = "an error output"
            if not wrong and had and not cell.outputs:  # of a program that ended before GoNB had read it
                wrong = "the cell has an output in the notebook's file, and none now"
            print(f"  cell {count:2d} {time.monotonic() - start:7.2f} s  {label(cell.source)}", flush=True)
            if wrong:
                if client.km is not None:
                    client.km.shutdown_kernel(now=True)  # a program that ignores an interrupt goes with it
                return f"cell {count}: {ANSI.sub('', wrong).strip()}"
    return None


def label(source):
    """The line that tells best which cell it is: the first of its program, else of its declarations, else of all."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    body = lines[lines.index("%%") + 1:] if "%%" in lines else []
    return next((line for line in body + lines if not line.startswith(("%", "!", "import ", '"', ")"))), lines[0])[:90]


def normalise(nb):
    """Leave in the notebook only what another run on another machine writes too."""
    nb.nbformat_minor = max(nb.nbformat_minor, 5)
    nb.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Go (gonb)", "language": "go", "name": "gonb"},
        "language_info": {"file_extension": ".go", "mimetype": "text/x-go", "name": "go", "pygments_lexer": "go"},
    })
    ids = set()
    for index, cell in enumerate(nb.cells):
        if cell.get("id") in ids or not cell.get("id"):
            cell["id"] = hashlib.sha256(f"{index}:{cell.source}".encode()).hexdigest()[:8]
        ids.add(cell["id"])
        cell.metadata.pop("execution", None)
        cell.metadata.pop("ExecuteTime", None)
        if cell.cell_type != "code":
            continue
        # Text and pictures reach the kernel by two pipes, in no fixed order: text first.
        text = [out for out in cell.outputs if out.output_type == "stream" and out.name == "stdout"]
        rest = [out for out in cell.outputs if not (out.output_type == "stream" and out.name == "stdout")]
        for out in rest:
            out.pop("execution_count", None) if out.output_type == "display_data" else None
            out.pop("transient", None)
        joined = "".join(out.text for out in text)
        cell.outputs = ([nbformat.v4.new_output("stream", name="stdout", text=joined)] if joined else []) + rest


def machine_path(nb, paths):
    """The first output text that holds one of this machine's paths, or None."""
    for index, cell in enumerate(nb.cells):
        for out in cell.get("outputs", []):
            data = {k: v for k, v in out.get("data", {}).items() if not k.startswith("image/") or k == "image/svg+xml"}
            text = json.dumps([out.get("text", ""), data], ensure_ascii=False)
            for path in paths:
                if path in text:
                    return f"the output of cell {index} (of all cells, from 0) holds a path of this machine, {path}"
    return None


def to_html(nb, name):
    """HTML that looks right without a network: formulas as MathML, pictures inline, no script."""
    def maths(m):
        if m[1]:
            return m[1]
        return convert(m[2].strip(), display="block").replace("\n", " ") if m[2] else convert(m[3])
    nb = nbformat.from_dict(json.loads(json.dumps(nb)))
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = MATHS.sub(maths, cell.source)
    body, _ = HTMLExporter(template_name="lab").from_notebook_node(nb, {"metadata": {"name": name}})
    return re.sub(r"<script\b.*?</script>", "", body, flags=re.S)


def main(o):
    path, out = pathlib.Path(o["notebook"]), pathlib.Path(o["out"])
    nb = nbformat.read(path, as_version=4)
    wrong = execute(nb, o)
    normalise(nb)
    wrong = wrong or machine_path(nb, o["paths"])
    out.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(nb) + "\n"
    (out / path.name).write_text(text, encoding="utf-8")
    if o["html"]:
        (out / (path.stem + ".html")).write_text(to_html(nb, path.stem), encoding="utf-8")
    pictures = [d.data["image/png"] for c in nb.cells for d in c.get("outputs", []) if "image/png" in d.get("data", {})]
    for old in out.glob(path.stem + "-[0-9][0-9].png"):
        old.unlink()
    for k, picture in enumerate(pictures, 1):
        (out / f"{path.stem}-{k:02d}.png").write_bytes(base64.b64decode(picture))
    if wrong:
        sys.exit("EBM-FAILED " + wrong)
    if o["inplace"] and text != path.read_text(encoding="utf-8"):
        new = path.with_name("." + path.name + ".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


main(json.loads(sys.argv[1]))
